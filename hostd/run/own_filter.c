/* own filter: one reads the packet, and jumps forward alone, so labels are resolved at the end. */
#include "own_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* Of every network namespace. */
#define LOOPBACK_INDEX 1
#define DNS_PORT       53

#define VERDICT_DROP  0
#define VERDICT_ALLOW 1

/* Where skb_load_bytes() writes, on the stack. */
#define BUFFER (-16)

/* And where the packet's protocol is kept meanwhile. */
#define PROTOCOL (-24)

/* Of a TCP header. */
#define TCP_FLAGS 13
#define TCP_SYN   0x02
#define TCP_ACK   0x10

/* Registers: the packet, where its TCP or UDP begins, what was read, whether its address is a name
 * server's. */
enum { PACKET = BPF_REG_6, PAYLOAD = BPF_REG_7, VALUE = BPF_REG_8, IS_SERVER = BPF_REG_9 };

/* A jump's offset, until the program is whole; 0 to NO_LABEL - 1 are labels. */
enum label {
    IPV6,
    GUARD4,
    GUARD6,
    SERVER4,
    SERVER6,
    OTHER4,
    OTHER6,
    TRANSPORT,
    PORT,
    OWN_PORT,
    OWN_UDP_PORT,
    TCP_PUBLISHED,
    UDP_PUBLISHED,
    ALLOW,
    DROP,
    NO_LABEL
};

/* Where things are in a header. */
struct header {
    int32_t source, destination, protocol;
    size_t words; /* of an address */
};

static const struct header ipv4 = {12, 16, 9, 2}, ipv6 = {8, 24, 6, 8};
#define IPV6_SIZE 40

struct program {
    struct bpf_insn *code;
    size_t size;
    uint8_t label[OWN_FILTER_SIZE]; /* of a jump, else NO_LABEL */
    size_t place[NO_LABEL];
};

static void emit(struct program *program, int code, int to, int by, int offset, int32_t number)
{
    program->label[program->size] = NO_LABEL;
    program->code[program->size++] = (struct bpf_insn){
        .code = (uint8_t)code,
        .dst_reg = (uint8_t)(to & 15),
        .src_reg = (uint8_t)(by & 15),
        .off = (int16_t)offset,
        .imm = number,
    };
}

static void set(struct program *program, int to, int32_t number)
{
    emit(program, BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, number);
}

static void copy(struct program *program, int to, int by)
{
    emit(program, BPF_ALU64 | BPF_MOV | BPF_X, to, by, 0, 0);
}

static void compute(struct program *program, int operation, int to, int32_t number)
{
    emit(program, BPF_ALU64 | operation | BPF_K, to, 0, 0, number);
}

static void jump(struct program *program, enum label to)
{
    emit(program, BPF_JMP | BPF_JA, 0, 0, 0, 0);
    program->label[program->size - 1] = (uint8_t)to;
}

static void jump_if(struct program *program, int comparison, int32_t number, enum label to)
{
    emit(program, BPF_JMP | comparison | BPF_K, VALUE, 0, 0, number);
    program->label[program->size - 1] = (uint8_t)to;
}

static void put(struct program *program, enum label label)
{
    program->place[label] = program->size;
}

static void load(struct program *program, int size, int offset)
{
    emit(program, BPF_LDX | BPF_MEM | size, VALUE, BPF_REG_10, BUFFER + offset, 0);
}

/* From the packet, at register 2, into the buffer; a packet that is too short is dropped. */
static void read_packet(struct program *program, int32_t size)
{
    copy(program, BPF_REG_1, PACKET);
    copy(program, BPF_REG_3, BPF_REG_10);
    compute(program, BPF_ADD, BPF_REG_3, BUFFER);
    set(program, BPF_REG_4, size);
    emit(program, BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes);
    copy(program, VALUE, BPF_REG_0);
    jump_if(program, BPF_JNE, 0, DROP);
}

/*
 * Goes on at SERVER4 or SERVER6 if the address in the buffer is a name server's; any other goes on
 * at OTHER4 or OTHER6 if there are published ports, and is dropped if there are none.
 *
 * @return false: nothing goes on there, and the kernel refuses code that is never reached
 */
static bool find_server(struct program *program, const struct own_filter *filter, size_t words)
{
    bool found = false;

    for (size_t i = 0; i < filter->server_count; i++) {
        const struct own_filter_server *server = &filter->servers[i];
        size_t jumps[8], count = 0;

        if (server->word_count != words)
            continue;
        for (; count < words; count++) {
            load(program, BPF_H, (int)(2 * count));
            jumps[count] = program->size;
            emit(program, BPF_JMP | BPF_JNE | BPF_K, VALUE, 0, 0, server->words[count]);
        }
        found = true;
        jump(program, words == ipv4.words ? SERVER4 : SERVER6);
        /* Not this one: on to the next. */
        while (count-- > 0)
            program->code[jumps[count]].off = (int16_t)(program->size - jumps[count] - 1);
    }
    if (filter->port_count == 0)
        jump(program, DROP);
    else
        jump(program, words == ipv4.words ? OTHER4 : OTHER6);
    return found;
}

static void go_to_transport(struct program *program, const struct own_filter *filter,
                            const struct header *header, bool is_server)
{
    if (filter->port_count > 0)
        set(program, IS_SERVER, is_server);
    set(program, BPF_REG_2, header->protocol);
    jump(program, TRANSPORT);
}

/* The first byte has been read, PAYLOAD is set. */
static void check_address(struct program *program, const struct own_filter *filter,
                          const struct header *header)
{
    bool is_ipv4 = header == &ipv4;

    set(program, BPF_REG_2, filter->incoming ? header->source : header->destination);
    read_packet(program, (int32_t)(2 * header->words));
    load(program, BPF_H, 0);
    if (!is_ipv4)
        compute(program, BPF_AND, VALUE, htons(0xffc0));
    jump_if(program, BPF_JEQ, htons(is_ipv4 ? 0xa9fe : 0xfe80), is_ipv4 ? GUARD4 : GUARD6);
    if (filter->own_addresses) {
        emit(program, BPF_LDX | BPF_MEM | BPF_W, VALUE, PACKET,
             (int)offsetof(struct __sk_buff, ifindex), 0);
        jump_if(program, BPF_JNE, LOOPBACK_INDEX, ALLOW);
    } else {
        jump(program, ALLOW);
    }
    put(program, is_ipv4 ? GUARD4 : GUARD6);
    if (find_server(program, filter, header->words)) {
        put(program, is_ipv4 ? SERVER4 : SERVER6);
        go_to_transport(program, filter, header, true);
    }
    if (filter->port_count > 0) {
        put(program, is_ipv4 ? OTHER4 : OTHER6);
        go_to_transport(program, filter, header, false);
    }
}

/* A name server's port, or one of ours. Both ports are read at once. */
static void check_ports(struct program *program, const struct own_filter *filter)
{
    int other = filter->incoming ? 0 : 2;

    put(program, TRANSPORT);
    read_packet(program, 1);
    load(program, BPF_B, 0);
    emit(program, BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, VALUE, PROTOCOL, 0);
    jump_if(program, BPF_JEQ, IPPROTO_TCP, PORT);
    jump_if(program, BPF_JNE, IPPROTO_UDP, DROP);
    put(program, PORT);
    copy(program, BPF_REG_2, PAYLOAD);
    read_packet(program, 4);
    copy(program, VALUE, IS_SERVER);
    jump_if(program, BPF_JEQ, 0, OWN_PORT);
    load(program, BPF_H, other);
    jump_if(program, BPF_JEQ, htons(DNS_PORT), ALLOW);
    put(program, OWN_PORT);
}

/* @return false: none of that protocol is published */
static bool find_port(struct program *program, const struct own_filter *filter, bool is_udp)
{
    bool found = false;

    load(program, BPF_H, filter->incoming ? 2 : 0);
    for (size_t i = 0; i < filter->port_count; i++) {
        if (filter->ports[i].is_udp != is_udp)
            continue;
        jump_if(program, BPF_JEQ, htons(filter->ports[i].port),
                is_udp ? UDP_PUBLISHED : TCP_PUBLISHED);
        found = true;
    }
    jump(program, DROP);
    return found;
}

static void check_published(struct program *program, const struct own_filter *filter)
{
    bool tcp, udp;

    emit(program, BPF_LDX | BPF_MEM | BPF_W, VALUE, BPF_REG_10, PROTOCOL, 0);
    jump_if(program, BPF_JNE, IPPROTO_TCP, OWN_UDP_PORT);
    tcp = find_port(program, filter, false);
    put(program, OWN_UDP_PORT);
    udp = find_port(program, filter, true);
    if (tcp) {
        put(program, TCP_PUBLISHED);
        if (!filter->incoming) { /* nothing begins here */
            copy(program, BPF_REG_2, PAYLOAD);
            compute(program, BPF_ADD, BPF_REG_2, TCP_FLAGS);
            read_packet(program, 1);
            load(program, BPF_B, 0);
            compute(program, BPF_AND, VALUE, TCP_SYN | TCP_ACK);
            jump_if(program, BPF_JEQ, TCP_SYN, DROP);
        }
        jump(program, ALLOW);
    }
    if (udp) {
        put(program, UDP_PUBLISHED);
        load(program, BPF_H, filter->incoming ? 0 : 2);
        emit(program, BPF_ALU | BPF_END | BPF_TO_BE, VALUE, 0, 0, 16);
        jump_if(program, BPF_JGE, OWN_FILTER_CLIENTS, ALLOW);
        jump(program, DROP);
    }
}

static void check_port(struct program *program, bool incoming)
{
    put(program, TRANSPORT);
    read_packet(program, 1);
    load(program, BPF_B, 0);
    jump_if(program, BPF_JEQ, IPPROTO_TCP, PORT);
    jump_if(program, BPF_JNE, IPPROTO_UDP, DROP);
    put(program, PORT);
    copy(program, BPF_REG_2, PAYLOAD);
    compute(program, BPF_ADD, BPF_REG_2, incoming ? 0 : 2);
    read_packet(program, 2);
    load(program, BPF_H, 0);
    jump_if(program, BPF_JNE, htons(DNS_PORT), DROP);
}

static void give_verdict(struct program *program, enum label label, int32_t verdict)
{
    put(program, label);
    set(program, BPF_REG_0, verdict);
    emit(program, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

size_t own_filter_build(const struct own_filter *filter, struct bpf_insn *ret_program)
{
    struct program program = {.code = ret_program};

    copy(&program, PACKET, BPF_REG_1);
    set(&program, BPF_REG_2, 0);
    read_packet(&program, 1);
    /* The version and, of IPv4, the length of its header in words. */
    load(&program, BPF_B, 0);
    copy(&program, PAYLOAD, VALUE);
    compute(&program, BPF_RSH, VALUE, 4);
    jump_if(&program, BPF_JEQ, 6, IPV6);
    compute(&program, BPF_AND, PAYLOAD, 15);
    compute(&program, BPF_LSH, PAYLOAD, 2);
    check_address(&program, filter, &ipv4);
    put(&program, IPV6);
    set(&program, PAYLOAD, IPV6_SIZE);
    check_address(&program, filter, &ipv6);
    if (filter->port_count > 0) {
        check_ports(&program, filter);
        check_published(&program, filter);
    } else if (filter->server_count > 0) {
        check_port(&program, filter->incoming);
    }
    give_verdict(&program, ALLOW, VERDICT_ALLOW);
    give_verdict(&program, DROP, VERDICT_DROP);

    for (size_t i = 0; i < program.size; i++) {
        if (program.label[i] != NO_LABEL)
            ret_program[i].off = (int16_t)(program.place[program.label[i]] - i - 1);
    }
    return program.size;
}

bool own_filter_add_server(struct own_filter *filter, const char *text)
{
    struct own_filter_server *server = &filter->servers[filter->server_count];

    if (filter->server_count == OWN_FILTER_SERVERS)
        return false;
    if (inet_pton(AF_INET, text, server->words) == 1)
        server->word_count = ipv4.words;
    else if (inet_pton(AF_INET6, text, server->words) == 1)
        server->word_count = ipv6.words;
    else
        return false;
    filter->server_count++;
    return true;
}

bool own_filter_add_ports(struct own_filter *filter, const char *text)
{
    while (*text != '\0') {
        struct own_filter_port *port = &filter->ports[filter->port_count];
        char *end;
        unsigned long number = strtoul(text, &end, 10);

        if (*text < '0' || *text > '9' || number == 0 || number > UINT16_MAX ||
            filter->port_count == OWN_FILTER_PORTS)
            return false;
        if (strncmp(end, "/tcp", 4) != 0 && strncmp(end, "/udp", 4) != 0)
            return false;
        *port = (struct own_filter_port){.is_udp = end[1] == 'u', .port = (uint16_t)number};
        text = end + 4;
        if (*text != ',' && *text != '\0')
            return false;
        filter->port_count++;
        text += *text == ',';
    }
    return true;
}
