"""The files of an archive that a host may go without."""

from orchestrator.plan.docker import layer_files

LAYERS = tuple(f"sha256:{digit * 64}" for digit in "123")


def test_a_layer_is_called_by_its_hash_or_as_docker_20_10_24_called_it() -> None:
    lowest, second = (
        "9c62c3e8e10f29d1c1851cb586da3e42e4bbef8d98b9936826393b088a753c01",
        "de96eda998d9a172d669a8bab4f5a4773fa73a712f606c3e01b286e88bdae9c3",
    )
    topmost = "6c499ede8d6f017c360cbc2d036b3ed9e6816f5881a8ecd7a893e5c776c19870"
    assert layer_files((f"sha256:{lowest}", f"sha256:{second}", f"sha256:{topmost}"), 2) == (
        f"blobs/sha256/{lowest}",
        f"blobs/sha256/{second}",
        "0ab86ba4ce7ecd3022122bc9f8cc15723c0d8671c8bf47ccbf8728d73178435f/layer.tar",
        "dd54f4b9fa3c75a14f1dc116dffd8b29a21dcef557b38cc72983262ade6ceca9/layer.tar",
    )


def test_the_topmost_layer_has_another_name_in_older_archives_and_always_goes() -> None:
    files = layer_files(LAYERS, 3)
    assert len([name for name in files if name.startswith("blobs/")]) == 3
    assert len([name for name in files if name.endswith("/layer.tar")]) == 2


def test_a_layer_that_comes_again_above_is_needed_there() -> None:
    again = (*LAYERS, LAYERS[0])
    assert f"blobs/sha256/{'1' * 64}" not in layer_files(again, 2)
    assert layer_files(again, 1) == ()


def test_where_nothing_is_there_nothing_is_left_out() -> None:
    assert layer_files(LAYERS, 0) == ()
