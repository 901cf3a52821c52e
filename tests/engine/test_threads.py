from engine.threads import machine_kind, multiplies_small_in_place


def test_products_come_in_pieces_only_with_the_kernel_that_was_measured():
    assert multiplies_small_in_place() is machine_kind().endswith("SkylakeX")
