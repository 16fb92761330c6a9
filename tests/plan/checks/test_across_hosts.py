"""What only shows when hosts are put side by side."""

from dataclasses import replace

import pytest

from orchestrator.model.cluster import Ray
from orchestrator.plan.checks.across_hosts import (
    check_built_images,
    check_differences,
    check_duplicates,
    inventory_hosts,
    outliers,
)
from orchestrator.plan.facts.host import Address, Facts, Unreachable
from orchestrator.plan.facts.image import ImageInfo
from orchestrator.plan.typed import ours
from tests.plan.checks.samples import brief, good
from tests.plan.worlds import cluster, node, with_host

DEMO = cluster()
ONE_EACH = "give each machine one entry, and each entry its own machine's `host` and `ip`"


def facts(**addresses: tuple[Address, ...]) -> Facts:
    """Three good hosts, with other addresses on those that are named."""
    made = good(DEMO)
    for host, found in addresses.items():
        made = with_host(made, host, addresses=found)
    return made


def eth(ip: str, card: str = "", mtu: int = 0) -> Address:
    return Address("eth0", ip, mtu, card)


def test_hosts_that_have_nothing_in_common_clash_in_nothing() -> None:
    made = facts(gpu1=(eth("10.0.0.1", "02:00:00:00:00:01"),), gpu2=(eth("10.0.0.2", "02:00:00:00:00:02"),))
    assert list(check_duplicates(DEMO, made)) == []


def test_one_machine_twice_is_told_of_both_entries() -> None:
    both = (eth("10.0.0.1", "02:00:00:00:00:01"), eth("10.0.0.2", "02:00:00:00:00:01"))
    told = "is the same machine as {}: both have the network card 02:00:00:00:00:01"
    assert brief(check_duplicates(DEMO, facts(gpu1=both, gpu2=both))) == [
        ("gpu1", "failure", told.format("gpu2"), ONE_EACH),
        ("gpu2", "failure", told.format("gpu1"), ONE_EACH),
    ]


def test_an_entry_whose_ip_is_not_there_is_the_same_machine_all_the_same() -> None:
    one = (eth("10.0.0.1", "02:00:00:00:00:01"),)
    assert {host for host, *_ in brief(check_duplicates(DEMO, facts(gpu1=one, gpu2=one)))} == {"gpu1", "gpu2"}


@pytest.mark.parametrize(
    "card",
    ["02:42:ac:11:00:01", "00:00:00:00:00:00", "0.0.0.0", "00:16:3e:00:00:00", "be:3a:f2:b6:05:9f", ""],
)
def test_a_card_that_is_alike_on_many_machines_tells_nothing_where_it_carries_no_ip(card: str) -> None:
    def host(number: int) -> tuple[Address, ...]:
        own = eth(f"10.0.0.{number}", f"02:00:00:00:00:0{number}")
        return (own, Address("made-up", "172.17.0.1", 0, card))

    assert list(check_duplicates(DEMO, facts(gpu1=host(1), gpu2=host(2), gpu3=host(3)))) == []


def test_dockers_bridge_tells_nothing_of_the_machine_even_as_ip() -> None:
    of = cluster(workers=1, head=node(1, ip=None, network="172.17.0.0/16"))
    bridge = Address("docker0", "172.17.0.1", 0, "02:42:ac:11:00:01")
    made = with_host(good(of), "gpu1", addresses=(bridge,))
    made = with_host(made, "gpu2", addresses=(eth("10.0.0.2"), bridge))
    assert [text for _, _, text, _ in brief(check_duplicates(of, made))] == [
        "has the address 172.17.0.1, and so has gpu2, another machine",
        "has the address 172.17.0.1, and so has gpu1, another machine",
    ]


@pytest.mark.parametrize(("ip", "host"), [("10.0.0.1", "gpu2"), ("10.0.0.2", "gpu1")])
def test_an_ip_that_another_machine_has_too_is_found_on_either_side(ip: str, host: str) -> None:
    number = host[-1]
    both = (eth(f"10.0.0.{number}", f"02:00:00:00:00:0{number}"), eth(ip, f"02:00:00:00:00:0{number}"))
    told = f"has the address {ip}, and so has {{}}, another machine"
    assert brief(check_duplicates(DEMO, facts(**{host: both}))) == [
        ("gpu1", "failure", told.format("gpu2"), ONE_EACH),
        ("gpu2", "failure", told.format("gpu1"), ONE_EACH),
    ]


def test_a_host_that_only_ray_knows_is_no_entry_of_the_inventory() -> None:
    """As where the inventory has given a machine another of its addresses."""
    both = (eth("10.0.0.2", "02:00:00:00:00:02"), eth("10.0.0.22", "02:00:00:00:00:02"))
    made = facts(gpu2=both)
    made["10.0.0.22"] = replace(inventory_hosts(DEMO, made)["gpu2"], image_id="sha256:another")
    assert list(check_duplicates(DEMO, made)) == list(check_differences(DEMO, made)) == []


def test_an_address_that_is_nobodys_ip_may_be_on_all_hosts() -> None:
    shared = Address("lo", "10.9.9.9")
    made = facts(gpu1=(eth("10.0.0.1"), shared), gpu2=(eth("10.0.0.2"), shared))
    assert list(check_duplicates(DEMO, made)) == []


def test_an_mtu_that_is_not_as_on_most_is_told_of_the_odd_host() -> None:
    made = facts(
        gpu1=(eth("10.0.0.1", mtu=9000),),
        gpu2=(eth("10.0.0.2", mtu=1500),),
        gpu3=(eth("10.0.0.3", mtu=9000),),
    )
    assert brief(check_differences(DEMO, made)) == [
        ("gpu2", "warning", "has MTU 1500, gpu1 has MTU 9000", "give the interfaces of `ip` one MTU")
    ]


def test_the_mtu_that_counts_is_that_of_the_ip() -> None:
    other = Address("docker0", "172.17.0.1", 1400)
    made = facts(gpu1=(other, eth("10.0.0.1", mtu=9000)), gpu2=(eth("10.0.0.2", mtu=9000), other))
    assert list(check_differences(DEMO, made)) == []


@pytest.mark.parametrize("unknown", [Unreachable("gone"), None])
def test_what_is_not_known_is_not_compared(unknown: Unreachable | None) -> None:
    made = facts(gpu1=(eth("10.0.0.1", mtu=1500),), gpu2=(eth("10.0.0.2", mtu=0),))
    made |= {"gpu3": unknown} if unknown else {}
    assert list(check_differences(DEMO, with_host(made, "gpu2", image_id=""))) == []


def test_an_image_that_is_not_as_on_most() -> None:
    made = with_host(good(DEMO), "gpu3", image_id="sha256:0123456789abcdef")
    fix = f"pull it again on all hosts: {ours('pull')}; or write the image with its digest"
    assert brief(check_differences(DEMO, made)) == [
        ("gpu3", "warning", "has image 0123456789ab, gpu1 has image one", fix)
    ]


def test_an_image_of_the_same_contents_is_the_same_whatever_a_store_or_an_engine_calls_it() -> None:
    """Docker's containerd store gives it the ID of its manifest, and Podman's IDs have no `sha256:`."""
    made = good(DEMO)
    for host, image_id in (("gpu1", "sha256:one"), ("gpu2", "sha256:manifest"), ("gpu3", "one")):
        made = with_host(made, host, image_id=image_id, image_layers=("sha256:a", "sha256:b"))
    assert list(check_differences(DEMO, made)) == []
    made = with_host(made, "gpu2", image_layers=("sha256:a", "sha256:c"))
    assert [each.problem.text for each in check_differences(DEMO, made)] == [
        "has image manifest, gpu1 has image one"
    ]


def test_an_image_of_whose_contents_a_host_knows_nothing_is_not_compared() -> None:
    """Docker's containerd store may run one like that."""
    made = good(DEMO)
    for host, layers in (("gpu1", ("sha256:a",)), ("gpu2", ()), ("gpu3", ("sha256:a",))):
        made = with_host(made, host, image_id=f"sha256:{host}", image_layers=layers)
    assert list(check_differences(DEMO, made)) == []


def test_images_that_each_host_derives_for_itself_differ_where_those_below_them_do() -> None:
    of = replace(DEMO, ray=Ray(install="ray[default]==2.56.*"))
    made = good(of)
    for host in ("gpu1", "gpu2", "gpu3"):
        derived = ImageInfo(f"sha256:of-{host}", built_from="sha256:base")
        made = with_host(made, host, image_id=derived.id, derived=derived)
    assert list(check_differences(of, made)) == []
    made = with_host(made, "gpu3", derived=ImageInfo("sha256:x", built_from="sha256:0123456789abcdef"))
    below = "vllm/vllm-openai:v0.17.1 below Ray: image"
    fix = f"pull it again on all hosts: {ours('pull')}; or write the image with its digest"
    assert brief(check_differences(of, made)) == [
        ("gpu3", "warning", f"has {below} 0123456789ab, gpu1 has {below} base", fix)
    ]


def test_an_image_with_ray_whose_base_has_moved_is_out_of_date() -> None:
    of = replace(DEMO, ray=Ray(install="ray[default]==2.56.*"))
    derived = ImageInfo("sha256:derived", built_from="sha256:base")
    made = with_host(good(of), "gpu2", derived=derived, base=ImageInfo("sha256:base"))
    assert list(check_built_images(of, made)) == []
    told = "its image with Ray is out of date: vllm/vllm-openai:v0.17.1 is another image on this host now"
    assert brief(check_built_images(of, with_host(made, "gpu2", base=ImageInfo("sha256:moved")))) == [
        ("gpu2", "warning", told, ours("up"))
    ]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, []),
        ({"a": 1}, []),
        ({"a": 1, "b": 1}, []),
        ({"a": 1, "b": 2}, [("b", "a")]),
        ({"a": 2, "b": 1, "c": 1}, [("a", "b")]),
        ({"a": 1, "b": 2, "c": 3}, [("b", "a"), ("c", "a")]),
        ({"a": 1, "b": 2, "c": 2, "d": 1}, [("b", "a"), ("c", "a")]),
    ],
)
def test_the_odd_ones_stand_beside_one_of_the_many(
    values: dict[str, int], told: list[tuple[str, str]]
) -> None:
    assert list(outliers(values)) == told
