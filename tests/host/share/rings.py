"""Lies on the rings, and to virtiofsd as QEMU: it may end, or say nothing any more. Nobody else may."""

import os
import struct

from fuse import ANSWER, HEADER, OPS
from vhost_user import (BUFFERS, GET_VRING_BASE, INDIRECT, MEMORY, NEXT, REQUESTS, SET_MEM_TABLE,
                        SET_VRING_ADDR, SET_VRING_KICK, SET_VRING_NUM, SIZE, USER_ADDRESS, WRITE)


def header(length=HEADER, name="GETATTR", node=1):
    return struct.pack("<IIQQIIIHH", length, OPS[name], 2, node, 0, 0, 1, 0, 0) + b"\0" * 16


def chain(front, descriptors, head=0, ahead=1):
    """@p descriptors: (index, address, size, flags, next)"""
    front.memory[BUFFERS:BUFFERS + HEADER + 16] = header()
    for one in descriptors:
        front.describe(REQUESTS, *one)
    front.offer(REQUESTS, head, ahead)


def sound(address=BUFFERS, size=HEADER + 16, following=1):
    return (0, address, size, NEXT, following)


def answer(index=1, address=BUFFERS + 4096, size=ANSWER + 256):
    return (index, address, size, WRITE, 0)


def in_a_loop(front):
    chain(front, [sound(following=0)])


def in_a_long_loop(front):
    chain(front, [(i, BUFFERS, 64, NEXT, (i + 1) % SIZE) for i in range(SIZE)])


def outside_of_memory(front):
    chain(front, [sound(address=MEMORY + 0x1000), answer()])


def answer_outside_of_memory(front):
    chain(front, [sound(), answer(address=1 << 45)])


def over_the_end(front):
    chain(front, [sound(address=MEMORY - 8), answer()])


def around_the_world(front):
    chain(front, [sound(address=(1 << 64) - 8, size=0xFFFFFFFF), answer()])


def longer_than_memory(front):
    chain(front, [sound(), answer(size=0xFFFFFFFF)])


def next_is_none(front):
    chain(front, [sound(following=0xFFFF)])


def head_is_none(front):
    chain(front, [sound(), answer()], head=0xFFFF)


def far_ahead(front):
    chain(front, [sound(), answer()], ahead=0x7FFF)


def nowhere_to_answer(front):
    chain(front, [(0, BUFFERS, HEADER + 16, 0, 0)])


def only_an_answer(front):
    chain(front, [(0, BUFFERS, ANSWER, WRITE, 0)])


def half_a_header(front):
    chain(front, [sound(size=7), answer(size=3)])


def nothing_at_all(front):
    chain(front, [(0, 0, 0, 0, 0)])


def header_in_crumbs(front):
    chain(front, [(i, BUFFERS + i, 1, NEXT, i + 1) for i in range(HEADER + 16)] +
          [answer(index=HEADER + 16)])


def table_in_a_table(front):
    front.memory[BUFFERS + 8192:BUFFERS + 8208] = struct.pack("<QIHH", BUFFERS + 8192, 16, INDIRECT | NEXT, 0)
    chain(front, [(0, BUFFERS + 8192, 16, INDIRECT, 0)])


def table_of_no_size(front):
    chain(front, [(0, BUFFERS + 8192, 0xFFFFFFF1, INDIRECT, 0)])


def header_that_lies(front):
    for length in (0, 1, HEADER - 1, HEADER + 17, 1 << 20, 0xFFFFFFFF):
        front.exchange([header(length)], [ANSWER, 256])


def write_that_lies(front):
    for size in (1, 1 << 20, 0xFFFFFFFF):
        front.exchange([header(HEADER + 40, "WRITE")[:HEADER],
                        struct.pack("<QQIIQII", 0, 0, size, 0, 0, 0, 0)], [ANSWER, 8])


def read_that_lies(front):
    for size in (1 << 20, 0xFFFFFFFF):
        for name in ("READ", "READDIR", "READDIRPLUS", "GETXATTR", "LISTXATTR"):
            front.exchange([header(HEADER + 40, name)[:HEADER],
                            struct.pack("<QQIIQII", 0, 0, size, 0, 0, 0, 0)], [ANSWER, 64])


def forgets_more_than_it_knows(front):
    front.exchange([struct.pack("<IIQQIIIHH", HEADER + 8, OPS["FORGET"], 2, 1, 0, 0, 1, 0, 0),
                    struct.pack("<Q", (1 << 64) - 1)], [], vring=0)
    front.exchange([struct.pack("<IIQQIIIHH", HEADER + 8, OPS["BATCH_FORGET"], 2, 1, 0, 0, 1, 0, 0),
                    struct.pack("<II", 0xFFFFFFFF, 0)], [], vring=0)


def memory_that_goes(front):
    os.ftruncate(front.file, 0)
    os.write(front.kicks[REQUESTS], struct.pack("<Q", 1))
    front.receive()


def memory_larger_than_its_file(front):
    front.send(SET_MEM_TABLE, struct.pack("<IIQQQQ", 1, 0, 0, MEMORY * 64, USER_ADDRESS, 0),
               [front.file])
    chain(front, [sound(address=MEMORY * 32), answer()])


def tables_of_nothing(front):
    front.send(SET_MEM_TABLE, struct.pack("<II", 0xFFFFFFFF, 0) + b"\xff" * 64, [front.file])


def ring_outside_of_memory(front):
    front.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", 1, 0, 1, 2, 3, 4))
    os.write(front.kicks[REQUESTS], struct.pack("<Q", 1))


def ring_of_a_size(front):
    front.send(SET_VRING_NUM, struct.pack("<II", 1, 0xFFFFFFFF))
    chain(front, [sound(), answer()])


def vring_that_is_none(front):
    front.send(SET_VRING_KICK, struct.pack("<Q", 0xFF), [front.kicks[0]])
    front.send(GET_VRING_BASE, struct.pack("<II", 0xFFFFFFFF, 0))


def answer_of_qemu(front):
    front.send(1, b"\0" * 8, flags=5)


LIES = (in_a_loop, in_a_long_loop, outside_of_memory, answer_outside_of_memory, over_the_end,
        around_the_world, longer_than_memory, next_is_none, head_is_none, far_ahead,
        nowhere_to_answer, only_an_answer, half_a_header, nothing_at_all, header_in_crumbs,
        table_in_a_table, table_of_no_size, header_that_lies, write_that_lies, read_that_lies,
        forgets_more_than_it_knows, memory_that_goes, memory_larger_than_its_file,
        tables_of_nothing, ring_outside_of_memory, ring_of_a_size, vring_that_is_none, answer_of_qemu)
