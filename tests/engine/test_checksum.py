"""Each bit counts; the digests are those of other tools."""

import binascii
import hashlib
import json
from io import BytesIO

import h5py
import pytest

from engine.checksum import Checksum, checksum_of_file, checksum_of_line, line_with_checksum, with_checksum


def test_a_file_ends_in_the_sha_256_of_what_it_is_without_it(tmp_path):
    (tmp_path / "file").write_bytes(with_checksum(BytesIO(b"content")))
    assert (tmp_path / "file").read_bytes() == (
        b"content\nsha256 ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73\n"  # of sha256sum
    )
    assert checksum_of_file(tmp_path / "file") is Checksum.FITS


def test_each_bit_of_a_files_content_is_noticed(tmp_path):
    content = bytes(range(40))
    whole = bytes(with_checksum(BytesIO(content)))
    for bit in range(8 * len(content)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        (tmp_path / "file").write_bytes(damaged)
        assert checksum_of_file(tmp_path / "file") is Checksum.DIFFERS
    for length in range(len(whole)):
        (tmp_path / "file").write_bytes(whole[:length])
        assert checksum_of_file(tmp_path / "file") is Checksum.MISSING


def test_a_large_file_is_compared_piece_by_piece(tmp_path):
    whole = bytearray(with_checksum(BytesIO(bytes(3 * 2**20 + 5))))
    (tmp_path / "file").write_bytes(whole)
    assert checksum_of_file(tmp_path / "file") is Checksum.FITS
    whole[3 * 2**20 + 4] = 1
    (tmp_path / "file").write_bytes(whole)
    assert checksum_of_file(tmp_path / "file") is Checksum.DIFFERS


def test_hdf5_does_not_mind_what_follows_its_end(tmp_path):
    image = BytesIO()
    with h5py.File(image, "w") as file:
        file["x"] = 3
    (tmp_path / "file.h5").write_bytes(with_checksum(image))
    with h5py.File(tmp_path / "file.h5") as file:
        assert file["x"][()] == 3


def test_a_line_is_json_whose_last_item_is_the_crc_32_of_the_rest():
    text = json.dumps({"key": "ä", "value": 0.1}, ensure_ascii=False)
    line = line_with_checksum(text)
    assert json.loads(line) == {**json.loads(text), "checksum": f"{binascii.crc32(text.encode()):08x}"}
    assert checksum_of_line(line.encode()) is Checksum.FITS
    assert checksum_of_line(line.encode() + b"\n") is Checksum.FITS
    assert checksum_of_line(text.encode() + b"\n") is Checksum.MISSING
    assert checksum_of_line(b"\n") is Checksum.MISSING


@pytest.mark.parametrize("text", ['{"key":"trial-0001","value":0.1}', '{"a":"\\u00e4 [1]"}'])
def test_a_bit_that_flips_in_a_line_is_noticed_or_makes_it_a_line_of_another_item(text):
    line = line_with_checksum(text).encode()
    for bit in range(8 * len(line)):
        damaged = bytearray(line)
        damaged[bit // 8] ^= 1 << bit % 8
        found = checksum_of_line(bytes(damaged))
        assert found is not Checksum.FITS
        if found is Checksum.MISSING:  # it is the mark that was hit
            try:
                document = json.loads(damaged)
            except ValueError:
                continue
            assert document != json.loads(text)


def test_the_digest_is_hashlibs():
    content = bytes(range(256)) * 99
    assert bytes(with_checksum(BytesIO(content)))[len(content) + 8 : -1].decode() == hashlib.sha256(content).hexdigest()
