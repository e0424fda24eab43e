/* own filter: whatever name servers and ports there are, the kernel can take the program; and what
 * that does with a packet. */
#include "run/own_filter.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static bool is_jump(const struct bpf_insn *code)
{
    return BPF_CLASS(code->code) == BPF_JMP && BPF_OP(code->code) != BPF_CALL &&
           BPF_OP(code->code) != BPF_EXIT;
}

/* The kernel refuses what leaves the program, and what is never reached. */
static void check_program(const struct own_filter *filter)
{
    struct bpf_insn code[OWN_FILTER_SIZE + 1];
    bool reached[OWN_FILTER_SIZE + 1] = {true};
    size_t size = own_filter_build(filter, code);

    assert_in_range(size, 1, OWN_FILTER_SIZE);
    for (size_t i = 0; i < size; i++) {
        assert_true(reached[i]);
        if (is_jump(&code[i])) {
            assert_in_range(code[i].off, 0, size - i - 2);
            reached[i + 1 + (size_t)code[i].off] = true;
        }
        if (BPF_CLASS(code[i].code) != BPF_JMP ||
            (BPF_OP(code[i].code) != BPF_EXIT && BPF_OP(code[i].code) != BPF_JA))
            reached[i + 1] = true;
    }
    assert_false(reached[size]);
}

static void test_every_set_of_servers(void **state)
{
    static const char *const servers[] = {"127.0.0.53", "192.0.2.1", "::1", "fe80::1"};

    (void)state;
    for (unsigned which = 0; which < 1U << 8; which++) {
        struct own_filter filter = {.incoming = which & 16, .own_addresses = which & 32};

        for (size_t i = 0; i < 4; i++)
            assert_true(!(which & 1U << i) || own_filter_add_server(&filter, servers[i]));
        assert_true(!(which & 64) || own_filter_add_ports(&filter, "8080/tcp"));
        assert_true(!(which & 128) || own_filter_add_ports(&filter, "53/udp,"));
        check_program(&filter);
    }
}

static void test_as_many_as_fit(void **state)
{
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    for (size_t i = 0; i < OWN_FILTER_SERVERS; i++)
        assert_true(own_filter_add_server(&filter, "2001:db8::1"));
    assert_false(own_filter_add_server(&filter, "2001:db8::1"));
    for (size_t i = 0; i < OWN_FILTER_PORTS; i++)
        assert_true(own_filter_add_ports(&filter, i % 2 ? "65535/tcp" : "1/udp"));
    assert_false(own_filter_add_ports(&filter, "2/tcp"));
    check_program(&filter);
}

static void test_what_is_no_list_of_ports(void **state)
{
    static const char *const texts[] = {",",        "8080",
                                        "0/tcp",    "65536/tcp",
                                        "80/sctp",  "80/tcpx",
                                        "80/tcp,,", "-1/tcp",
                                        " 80/tcp",  "80 /tcp",
                                        "x",        "80/tcp;22",
                                        "80/tc",    "99999999999999999999/tcp"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct own_filter filter = {.own_addresses = true};

        if (own_filter_add_ports(&filter, texts[i]))
            fail_msg("\"%s\" is taken", texts[i]);
    }
}

/* ---- what it does: as the kernel would */

struct packet {
    uint8_t bytes[64];
    size_t size;
    uint32_t ifindex;
};

static uint32_t read_memory(const uint8_t *from, int size)
{
    uint16_t half;
    uint32_t word;

    memcpy(&half, from, sizeof(half));
    memcpy(&word, from, sizeof(word));
    return size == BPF_B ? *from : size == BPF_H ? half : word;
}

static bool is_taken(const struct bpf_insn *code, uint64_t value)
{
    uint64_t other = (uint64_t)(int64_t)code->imm;

    switch (BPF_OP(code->code)) {
    case BPF_JA:
        return true;
    case BPF_JEQ:
        return value == other;
    case BPF_JNE:
        return value != other;
    case BPF_JGE:
        return value >= other;
    default:
        fail_msg("jump %#x", code->code);
        return false;
    }
}

static void calculate(const struct bpf_insn *code, uint64_t registers[11])
{
    uint64_t other =
        BPF_SRC(code->code) == BPF_X ? registers[code->src_reg] : (uint64_t)(int64_t)code->imm;
    uint64_t *to = &registers[code->dst_reg];

    switch (BPF_OP(code->code)) {
    case BPF_MOV:
        *to = other;
        break;
    case BPF_ADD:
        *to += other;
        break;
    case BPF_AND:
        *to &= other;
        break;
    case BPF_LSH:
        *to <<= other;
        break;
    case BPF_RSH:
        *to >>= other;
        break;
    case BPF_END:
        assert_int_equal(code->imm, 16);
        *to = ntohs((uint16_t)*to);
        break;
    default:
        fail_msg("operation %#x", code->code);
    }
}

/* @return whether the packet passes */
static bool run(const struct own_filter *filter, const struct packet *packet)
{
    struct bpf_insn code[OWN_FILTER_SIZE + 1];
    uint64_t registers[11] = {0};
    uint8_t stack[64] = {0};

    (void)own_filter_build(filter, code);
    registers[10] = sizeof(stack) - 8; /* reads of 4 bytes stay in it */
    for (const struct bpf_insn *at = code;; at++) {
        switch (BPF_CLASS(at->code)) {
        case BPF_LDX: /* of the packet's own fields, the interface alone */
            registers[at->dst_reg] =
                at->src_reg == 10 ? read_memory(stack + registers[10] + at->off, BPF_SIZE(at->code))
                                  : packet->ifindex;
            break;
        case BPF_STX:
            memcpy(stack + registers[10] + at->off, &registers[at->src_reg], 4);
            break;
        case BPF_ALU:
        case BPF_ALU64:
            calculate(at, registers);
            break;
        default:
            if (BPF_OP(at->code) == BPF_EXIT)
                return registers[0] == 1;
            if (BPF_OP(at->code) != BPF_CALL) {
                at += is_taken(at, registers[at->dst_reg]) ? at->off : 0;
                break;
            }
            registers[0] = registers[2] + registers[4] > packet->size ? ~UINT64_C(0) : 0;
            if (registers[0] == 0)
                memcpy(stack + registers[3], packet->bytes + registers[2], registers[4]);
        }
    }
}

enum { TCP = 6, UDP = 17, SYN = 2, ACK = 16, RST = 4 };

static struct packet make(const char *source, unsigned from, const char *destination, unsigned to,
                          uint8_t protocol, uint8_t flags)
{
    bool ipv6 = strchr(source, ':') != NULL;
    size_t header = ipv6 ? 40 : 20;
    struct packet packet = {.size = header + (protocol == TCP ? 20 : 8), .ifindex = 1};
    uint16_t ports[] = {htons((uint16_t)from), htons((uint16_t)to)};

    packet.bytes[0] = ipv6 ? 0x60 : 0x45;
    packet.bytes[ipv6 ? 6 : 9] = protocol;
    assert_int_equal(inet_pton(ipv6 ? AF_INET6 : AF_INET, source, packet.bytes + (ipv6 ? 8 : 12)),
                     1);
    assert_int_equal(
        inet_pton(ipv6 ? AF_INET6 : AF_INET, destination, packet.bytes + (ipv6 ? 24 : 16)), 1);
    memcpy(packet.bytes + header, ports, sizeof(ports));
    if (protocol == TCP)
        packet.bytes[header + 13] = flags;
    return packet;
}

/* Ports 8080/tcp and 5300/udp are published, 127.0.0.53 and ::1 are name servers. */
static const struct { /* NOLINT(clang-analyzer-optin.performance.Padding): as one reads it */
    bool incoming;
    const char *from;
    unsigned from_port;
    const char *to;
    unsigned to_port;
    uint8_t protocol, flags;
    bool passes;
    bool passes_without; /* with nothing published */
} packets[] = {
    /* a client of this host's, and the answers */
    {true, "127.0.0.1", 40000, "127.0.0.1", 8080, TCP, SYN, true, false},
    {false, "127.0.0.1", 8080, "127.0.0.1", 40000, TCP, SYN | ACK, true, false},
    {true, "127.0.0.1", 40000, "127.0.0.1", 8080, TCP, ACK, true, false},
    {false, "127.0.0.1", 8080, "127.0.0.1", 1023, TCP, ACK, true, false},
    {false, "127.0.0.1", 8080, "127.0.0.1", 40000, TCP, RST, true, false},
    {true, "2001:db8::1", 40000, "2001:db8::1", 8080, TCP, SYN, true, false},
    {false, "2001:db8::1", 8080, "2001:db8::1", 40000, TCP, SYN | ACK, true, false},
    {true, "::1", 40000, "::1", 8080, TCP, SYN, true, false},
    {false, "127.0.0.53", 8080, "127.0.0.53", 40000, TCP, ACK, true, false},
    {true, "127.0.0.1", 40000, "127.0.0.1", 5300, UDP, 0, true, false},
    {false, "127.0.0.1", 5300, "127.0.0.1", 32768, UDP, 0, true, false},
    /* a connection from there */
    {false, "127.0.0.1", 8080, "127.0.0.1", 40000, TCP, SYN, false, false},
    {false, "::1", 8080, "::1", 40000, TCP, SYN, false, false},
    {false, "127.0.0.1", 40000, "127.0.0.1", 8080, TCP, SYN, false, false},
    {false, "127.0.0.1", 40000, "127.0.0.1", 22, TCP, SYN, false, false},
    {false, "127.0.0.1", 22, "127.0.0.1", 8080, TCP, ACK, false, false},
    {true, "127.0.0.1", 8080, "127.0.0.1", 40000, TCP, SYN | ACK, false, false},
    {true, "127.0.0.1", 40000, "127.0.0.1", 8081, TCP, SYN, false, false},
    {true, "127.0.0.1", 40000, "127.0.0.1", 5300, TCP, SYN, false, false},
    /* a service of this host's */
    {false, "127.0.0.1", 5300, "127.0.0.1", 32767, UDP, 0, false, false},
    {false, "127.0.0.1", 5300, "127.0.0.1", 53, UDP, 0, false, false},
    {true, "127.0.0.1", 53, "127.0.0.1", 5300, UDP, 0, false, false},
    {false, "127.0.0.1", 8080, "127.0.0.1", 40000, UDP, 0, false, false},
    {false, "::1", 40000, "::1", 5300, UDP, 0, false, false},
    /* neither */
    {false, "127.0.0.1", 8080, "127.0.0.1", 40000, 132, 0, false, false},
    /* a name server, as before */
    {false, "127.0.0.1", 40000, "127.0.0.53", 53, UDP, 0, true, true},
    {true, "127.0.0.53", 53, "127.0.0.1", 40000, UDP, 0, true, true},
    {false, "::1", 40000, "::1", 53, TCP, SYN, true, true},
    {false, "127.0.0.1", 40000, "127.0.0.1", 53, UDP, 0, false, false},
    {false, "127.0.0.1", 40000, "127.0.0.53", 54, UDP, 0, false, false},
    {false, "127.0.0.1", 40000, "127.0.0.53", 53, 132, 0, false, false},
};

static void test_what_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < 2 * sizeof(packets) / sizeof(packets[0]); i++) {
        size_t at = i / 2;
        struct own_filter filter = {.incoming = packets[at].incoming, .own_addresses = true};
        struct packet packet = make(packets[at].from, packets[at].from_port, packets[at].to,
                                    packets[at].to_port, packets[at].protocol, packets[at].flags);

        assert_true(own_filter_add_server(&filter, "127.0.0.53"));
        assert_true(own_filter_add_server(&filter, "::1"));
        if (i % 2 == 0)
            assert_true(own_filter_add_ports(&filter, "22000/tcp,8080/tcp,5300/udp,"));
        if (run(&filter, &packet) != (i % 2 ? packets[at].passes_without : packets[at].passes))
            fail_msg("packet %zu: %s:%u %s:%u %s published ports", at, packets[at].from,
                     packets[at].from_port, packets[at].to, packets[at].to_port,
                     i % 2 ? "without" : "with");
        /* By another interface it is not this host's own. */
        packet.ifindex = 2;
        assert_true(run(&filter, &packet));
    }
}

/* One that ends before its ports, or its flags. */
static void test_a_short_packet_does_not_pass(void **state)
{
    struct packet packet = make("127.0.0.1", 8080, "127.0.0.1", 40000, TCP, ACK);
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    assert_true(own_filter_add_ports(&filter, "8080/tcp"));
    for (packet.size = 0; packet.size < 34; packet.size++)
        assert_false(run(&filter, &packet));
    assert_true(run(&filter, &packet));
}

static void test_what_is_no_address(void **state)
{
    static const char *const texts[] = {"", "127.1", "127.0.0.256", "localhost", "fe80::1%eth0"};
    struct own_filter filter = {.own_addresses = true};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(own_filter_add_server(&filter, texts[i]));
    assert_int_equal(filter.server_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_set_of_servers),
        cmocka_unit_test(test_as_many_as_fit),
        cmocka_unit_test(test_what_is_no_address),
        cmocka_unit_test(test_what_is_no_list_of_ports),
        cmocka_unit_test(test_what_passes),
        cmocka_unit_test(test_a_short_packet_does_not_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
