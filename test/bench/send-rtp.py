#!/usr/bin/python3
"""Sends RTP of many streams through a veth, several times faster than a program that hands each packet to the kernel.

    send-rtp.py FROM TO STREAMS PACKETS_PER_S SECONDS

FROM and TO are the two ends of the veth. Two streams are a call between 10.x.x.x and 20.x.x.x; each has an SSRC of its own, and numbers and
timestamps that run on, 160 to a packet (G.711, 20 ms). PACKETS_PER_S is of all streams together, 0 for as many as go. Prints at the end
{"packets": sent, "seconds": taken}.

The kernel runs a small BPF program over and over (BPF_PROG_TEST_RUN with live frames, Linux 5.18). Each run writes the octets that vary
into a packet and sends it out of FROM, or drops it while the next packet is not due. So it keeps one core busy whatever the rate. As root.
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import sys

# bpf(2) and linux/bpf.h
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_PROG_LOAD, BPF_PROG_TEST_RUN = 0, 1, 5, 10
BPF_MAP_TYPE_ARRAY, BPF_PROG_TYPE_XDP, BPF_F_TEST_XDP_LIVE_FRAMES = 2, 6, 2
BPF_FUNC_KTIME_GET_NS, BPF_FUNC_REDIRECT = 5, 23
BPF_PSEUDO_MAP_VALUE = 2
XDP_DROP = 1
MAX_RUNS = 2**32 - 1
SIOCETHTOOL, ETHTOOL_SGRO = 0x8946, 0x2C

# A veth has room for 256, and is read out after each batch, 64 at a time.
BATCH = 32
NS_PER_S = 1_000_000_000
# What the last packets take to arrive.
GRACE_S = 0.1
# Other work on this core must not hold it up.
NICE = -10

ETHERNET_OCTETS, IPV4_OCTETS, UDP_OCTETS, RTP_OCTETS, PAYLOAD_OCTETS = 14, 20, 8, 12, 160
IP_AT = ETHERNET_OCTETS
CHECKSUM_AT, SOURCE_AT, DESTINATION_AT = IP_AT + 10, IP_AT + 12, IP_AT + 16
RTP_AT = IP_AT + IPV4_OCTETS + UDP_OCTETS
SEQUENCE_AT, TIMESTAMP_AT, SSRC_AT = RTP_AT + 2, RTP_AT + 4, RTP_AT + 8
HEADERS_END = RTP_AT + RTP_OCTETS
# For a card that is not TO, so that the stack behind it drops the packets at once.
MAC_ADDRESSES = bytes.fromhex("020000000002" "020000000001")
NET, OTHER_NET = 10, 20
PORT, PCMA, TICKS, SSRC_STEP = 10_000, 8, 160, 7919

# Opcodes of RFC 9669; WITH_REGISTER turns an operation on a number into one on a register.
LOAD_32, LOAD_64, LOAD_NUMBER_64 = 0x61, 0x79, 0x18
STORE_16, STORE_32, STORE_64 = 0x6B, 0x63, 0x7B
ADD, SUBTRACT, MULTIPLY, DIVIDE, OR, AND = 0x07, 0x17, 0x27, 0x37, 0x47, 0x57
SHIFT_RIGHT, MODULO, XOR, MOVE, TO_BIG_ENDIAN = 0x77, 0x97, 0xA7, 0xB7, 0xDC
WITH_REGISTER = 0x08
IF_NOT_EQUAL_NUMBER, IF_GREATER, IF_AT_LEAST = 0x55, 0x2D, 0x3D
CALL, EXIT = 0x85, 0x95

# Registers: 0 to 5 are lost by a call, 6 to 9 are kept.
RESULT, FIRST, PACKET, END, SPARE = 0, 1, 2, 3, 4
STATE, COUNT, STREAM, CONTEXT = 6, 7, 8, 9
COUNT_AT, START_AT, STATE_OCTETS = 0, 8, 16


class Program:
    """Instructions in order; jumps go to the end, where the packet is dropped."""

    def __init__(self):
        self.instructions = []

    def add(self, opcode, to=0, source=0, offset=0, number=0):
        self.instructions.append([opcode, to | source << 4, offset, number])

    def load_64(self, to, number, source=0):
        self.add(LOAD_NUMBER_64, to, source, 0, number & 0xFFFFFFFF)
        self.add(0, number=number >> 32)

    def drop_if(self, opcode, left, right):
        self.add(opcode, left, right, offset=None)

    def store_big_endian(self, register, bits, at):
        self.add(TO_BIG_ENDIAN, register, number=bits)
        self.add(STORE_16 if bits == 16 else STORE_32, PACKET, register, at)

    def assembled(self):
        self.add(MOVE, RESULT, number=XDP_DROP)
        self.add(EXIT)
        drop_at = len(self.instructions) - 2
        return b"".join(
            struct.pack("<BBhi", opcode, registers, drop_at - at - 1 if offset is None else offset, signed(number))
            for at, (opcode, registers, offset, number) in enumerate(self.instructions)
        )


def signed(number):
    return number - 2**32 if number >= 2**31 else number


def template():
    """The packet without what varies: addresses, checksum, and the numbers of RTP."""
    ip_octets = IPV4_OCTETS + UDP_OCTETS + RTP_OCTETS + PAYLOAD_OCTETS
    ip = struct.pack(">BBHHHBBHII", 0x45, 0, ip_octets, 0, 0x4000, 64, socket.IPPROTO_UDP, 0, 0, 0)
    udp = struct.pack(">HHHH", PORT, PORT, ip_octets - IPV4_OCTETS, 0)
    rtp = struct.pack(">BBHII", 0x80, PCMA, 0, 0, 0)
    return MAC_ADDRESSES + b"\x08\x00" + ip + udp + rtp + b"\xd5" * PAYLOAD_OCTETS


def program(packet, state_map, out_index, streams, rate, seconds):
    p = Program()
    p.add(MOVE | WITH_REGISTER, CONTEXT, FIRST)
    p.load_64(STATE, state_map, BPF_PSEUDO_MAP_VALUE)
    p.add(LOAD_64, COUNT, STATE, COUNT_AT)

    # How long it has been going on; from the first run on.
    p.add(CALL, number=BPF_FUNC_KTIME_GET_NS)
    p.add(LOAD_64, STREAM, STATE, START_AT)
    p.add(IF_NOT_EQUAL_NUMBER, STREAM, offset=2)
    p.add(STORE_64, STATE, RESULT, START_AT)
    p.add(MOVE | WITH_REGISTER, STREAM, RESULT)
    p.add(SUBTRACT | WITH_REGISTER, RESULT, STREAM)
    p.load_64(FIRST, seconds * NS_PER_S)
    p.drop_if(IF_AT_LEAST, RESULT, FIRST)
    if rate > 0:
        p.add(MULTIPLY, RESULT, number=rate)
        p.add(DIVIDE, RESULT, number=NS_PER_S)
        p.drop_if(IF_GREATER, COUNT, RESULT)

    # The verifier wants to see that the packet is as long as we say.
    p.add(LOAD_32, PACKET, CONTEXT, 0)
    p.add(LOAD_32, END, CONTEXT, 4)
    p.add(MOVE | WITH_REGISTER, SPARE, PACKET)
    p.add(ADD, SPARE, number=HEADERS_END)
    p.drop_if(IF_GREATER, SPARE, END)

    p.add(MOVE | WITH_REGISTER, STREAM, COUNT)
    p.add(MODULO, STREAM, number=streams)
    p.add(MOVE | WITH_REGISTER, RESULT, COUNT)
    p.add(ADD, RESULT, number=1)
    p.add(STORE_64, STATE, RESULT, COUNT_AT)

    # How many packets the stream has sent.
    p.add(DIVIDE, COUNT, number=streams)
    p.add(MOVE | WITH_REGISTER, RESULT, COUNT)
    p.store_big_endian(RESULT, 16, SEQUENCE_AT)
    p.add(MULTIPLY, COUNT, number=TICKS)
    p.store_big_endian(COUNT, 32, TIMESTAMP_AT)
    p.add(MOVE | WITH_REGISTER, RESULT, STREAM)
    p.add(ADD, RESULT, number=1)
    p.add(MULTIPLY, RESULT, number=SSRC_STEP)
    p.store_big_endian(RESULT, 32, SSRC_AT)

    # Odd streams are the way back; the number of the call is the rest of both addresses.
    p.add(MOVE | WITH_REGISTER, SPARE, STREAM)
    p.add(AND, SPARE, number=1)
    p.add(MULTIPLY, SPARE, number=(OTHER_NET - NET) << 24)
    p.add(SHIFT_RIGHT, STREAM, number=1)
    for first_octet, opcode, at in ((NET, ADD, SOURCE_AT), (OTHER_NET, SUBTRACT, DESTINATION_AT)):
        p.add(MOVE, RESULT, number=first_octet << 24)
        p.add(opcode | WITH_REGISTER, RESULT, SPARE)
        p.add(OR | WITH_REGISTER, RESULT, STREAM)
        p.store_big_endian(RESULT, 32, at)

    # RFC 1071: the sum of the header's words, carried twice, turned over.
    p.add(MOVE | WITH_REGISTER, RESULT, STREAM)
    p.add(AND, RESULT, number=0xFFFF)
    p.add(SHIFT_RIGHT, STREAM, number=16)
    p.add(ADD | WITH_REGISTER, RESULT, STREAM)
    p.add(MULTIPLY, RESULT, number=2)
    words = struct.unpack_from(">10H", packet, IP_AT)
    p.add(ADD, RESULT, number=sum(words) + (NET << 8) + (OTHER_NET << 8))
    for _ in range(2):
        p.add(MOVE | WITH_REGISTER, SPARE, RESULT)
        p.add(SHIFT_RIGHT, SPARE, number=16)
        p.add(AND, RESULT, number=0xFFFF)
        p.add(ADD | WITH_REGISTER, RESULT, SPARE)
    p.add(XOR, RESULT, number=0xFFFF)
    p.store_big_endian(RESULT, 16, CHECKSUM_AT)

    p.add(MOVE, FIRST, number=out_index)
    p.add(MOVE, PACKET, number=0)
    p.add(CALL, number=BPF_FUNC_REDIRECT)
    p.add(EXIT)
    return p.assembled()


libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, len(attributes))
    result = libc.syscall(SYS_BPF[os.uname().machine], command, buffer, len(attributes))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def read_in_batches(interface):
    """A veth takes such packets only when its other end reads in batches (NAPI), which it does with GRO on."""
    value = ctypes.create_string_buffer(struct.pack("=II", ETHTOOL_SGRO, 1))
    request = struct.pack("16sP16x", interface.encode(), ctypes.addressof(value))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCETHTOOL, request)


def send(out, into, streams, rate, seconds):
    read_in_batches(into)
    packet = template()
    state_map = bpf(BPF_MAP_CREATE, struct.pack("=IIIII", BPF_MAP_TYPE_ARRAY, 4, STATE_OCTETS, 1, 0))
    code = program(packet, state_map, socket.if_nametoindex(out), streams, rate, seconds)
    octets = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    addresses = (ctypes.addressof(octets), ctypes.addressof(licence))
    loaded = bpf(BPF_PROG_LOAD, struct.pack("=IIQQIIQII", BPF_PROG_TYPE_XDP, len(code) // 8, *addresses, 0, 0, 0, 0, 0))
    data = ctypes.create_string_buffer(packet, len(packet))
    run = struct.pack(
        "=IIIIQQIIIIQQIII4x",
        *(loaded, 0, len(packet), 0, ctypes.addressof(data), 0, MAX_RUNS, 0),
        *(0, 0, 0, 0, BPF_F_TEST_XDP_LIVE_FRAMES, 0, BATCH),
    )
    os.nice(NICE)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_S)
    try:
        bpf(BPF_PROG_TEST_RUN, run)
    except InterruptedError:
        pass
    key = ctypes.create_string_buffer(4)
    state = ctypes.create_string_buffer(STATE_OCTETS)
    bpf(BPF_MAP_LOOKUP_ELEM, struct.pack("=I4xQQQ", state_map, ctypes.addressof(key), ctypes.addressof(state), 0))
    return struct.unpack_from("=Q", state.raw, COUNT_AT)[0]


if __name__ == "__main__":
    _, out, into, streams, rate, seconds = sys.argv
    sent = send(out, into, int(streams), int(rate), int(seconds))
    print(json.dumps({"packets": sent, "seconds": int(seconds)}))
