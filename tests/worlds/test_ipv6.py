"""Hosts that reach each other by IPv6: what Ray serves besides, and a model's server, which would not listen there."""

import pytest

from tests.lab import living, worlds
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.registry import small_image
from tests.lab.seeing import brought_up, failed, findings
from tests.lab.test_dashboard import ASKS, asked, opened
from tests.lab.worlds import BY_IPV6, World
from tests.payload.models.layouts import plain, tiny

PINNED = {"image": "raylab:dashboard", "ray": {"ports": "pinned"}}
RULE = (
    "sudo ip6tables -I INPUT -p tcp -s fd00:2::11,fd00:2::12"
    " -m multiport --dports 6379:6389,10002:19999 -j ACCEPT"
)


def got(lab: Lab, target: str) -> str:
    """What Prometheus would get, from another host."""
    return lab.hosts["gpu2"].run("python3", "-c", ASKS, f"http://{target}/metrics").stdout


@pytest.mark.parametrize("world", [BY_IPV6], ids=str, indirect=True)
def test_addresses_have_brackets_where_a_port_follows(lab: Lab, world: World) -> None:
    inventory = worlds.inventory(lab, world, **PINNED)
    found = [each for each in findings(lab, inventory) if each["topic"] == "network"]
    assert {each["level"] for each in found} == {"ok"}, found
    assert any(RULE in each["fix"] for each in found), found
    brought_up(lab, inventory)

    metrics = lab.raycluster("metrics", inventory)
    assert (metrics.returncode, metrics.stdout) == (1, "")
    silent = (
        "gpu1  nothing exports its metrics at [fd00:2::11]:6385: Ray's agents listen at IPv4 addresses alone"
    )
    assert silent in metrics.stderr, metrics.stderr
    assert "→ have Prometheus ask an IPv4 address of this host, at that port" in metrics.stderr
    wait_until("an agent exports its metrics", lambda: "# TYPE" in got(lab, "192.0.2.11:6385"), seconds=60)
    with opened(lab, inventory) as (link, _):
        assert "401" in asked(lab, link.rpartition("/")[0] + "/nodes?view=summary")


@pytest.mark.parametrize("world", [BY_IPV6], ids=str, indirect=True)
@pytest.mark.parametrize("engine", ["ray", "mp"])
def test_a_model_answers_at_the_heads_ipv6_address_and_nowhere_else_is_asked(
    lab: Lab, world: World, engine: str
) -> None:
    living.lend_vllm(lab)
    inventory = brought_up(lab, worlds.inventory(lab, world, engine=engine, **living.SERVING))
    living.serves(lab, inventory)
    alone = lab.raycluster("serve", "-i", inventory, "-y", "alphabet", "--", "--host", "0.0.0.0")
    failed(
        alone,
        "gpu1  --host 0.0.0.0: vLLM would listen at IPv4 addresses alone",
        "→ raycluster serve ",
    )


@pytest.mark.parametrize("world", [BY_IPV6], ids=str, indirect=True)
def test_images_and_models_go_from_host_to_host_by_ipv6(lab: Lab, world: World) -> None:
    inventory = worlds.inventory(lab, world, engine="mp")
    small_image(lab.hosts["gpu1"], "small:six", "one")
    image = lab.raycluster("image", "copy", "small:six", "-i", inventory)
    assert image.returncode == 0, image.stderr
    plain(lab.hosts["gpu1"].folder / "root/.cache/huggingface/hub", tiny())
    model = lab.raycluster("model", "copy", "org/tiny", "-i", inventory, timeout=300)
    assert model.returncode == 0, model.stderr
    assert "(copied to gpu2, " in model.stdout
    assert "through this machine" not in image.stderr + model.stderr
    for host in lab.hosts.values():
        host.docker("rmi", "--force", "small:six", check=False)
