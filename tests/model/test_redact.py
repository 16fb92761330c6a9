"""Lines for a shell, with what they give of secrets hidden."""

import pytest

from orchestrator.model.redact import HIDDEN, command_line

SECRET = "s3-cr.et"
GIVEN = (
    "nc -X connect -x ana:{}@proxy:3128 %h %p",
    "connect -H http://ana:{}@proxy:8080 gpu1 22",
    "sh -c 'nc -x \"ana:{}@proxy:1\" gpu1 22'",
    "ncat --proxy proxy:3128 --proxy-auth {} gpu1 22",
    "socat - PROXY:proxy:gpu1:22,proxyport=3128,proxyauth={}",
    "sshpass -p {} ssh -W gpu1:22 bastion",
    "sshpass -v -p{} ssh -W gpu1:22 bastion",
    "HTTP_PASSWORD={} connect proxy",
    "cloudflared access ssh --hostname gpu1 --service-token-secret {}",
    "cloudflared access ssh --hostname gpu1 --service-token-secret={} --x",
)
NONE = (
    "nc gpu1 22",
    "ssh -q -F /x -W [fd00::1]:22 ana@bastion -o PreferredAuthentications=publickey",
    "aws ssm start-session --target i-1 --document-name AWS-StartSSHSession --parameters portNumber=22",
    "gcloud compute start-iap-tunnel gpu1 22 --listen-on-stdin --zone=a",
)


@pytest.mark.parametrize("line", GIVEN)
def test_a_secret_in_a_line_of_shell_is_hidden_and_nothing_else(line: str) -> None:
    assert command_line(line.format(SECRET)) == line.format(HIDDEN)


def test_a_secret_with_blanks_in_quotes_is_hidden() -> None:
    assert command_line("sshpass -p 'two words' ssh x") == f"sshpass -p {HIDDEN} ssh x"


@pytest.mark.parametrize("line", NONE)
def test_a_line_without_a_secret_stays_as_it_is(line: str) -> None:
    assert command_line(line) == line
