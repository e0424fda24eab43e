/* own filter: one reads the packet, and jumps forward alone, so labels are resolved at the end. */
#include "own_filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/* Of every network namespace. */
#define LOOPBACK_INDEX 1
#define DNS_PORT       53

#define VERDICT_DROP  0
#define VERDICT_ALLOW 1

/* Where skb_load_bytes() writes, on the stack. */
#define BUFFER (-16)

/* Registers: the packet, where its TCP or UDP begins, what was read. */
enum { PACKET = BPF_REG_6, PAYLOAD = BPF_REG_7, VALUE = BPF_REG_8 };

/* A jump's offset, until the program is whole; 0 to NO_LABEL - 1 are labels. */
enum label { IPV6, GUARD4, GUARD6, SERVER4, SERVER6, TRANSPORT, PORT, ALLOW, DROP, NO_LABEL };

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
 * Goes on at SERVER4 or SERVER6 if the address in the buffer is a name server's, drops any other.
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
    jump(program, DROP);
    return found;
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
    if (!find_server(program, filter, header->words))
        return;
    put(program, is_ipv4 ? SERVER4 : SERVER6);
    set(program, BPF_REG_2, header->protocol);
    jump(program, TRANSPORT);
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
    if (filter->server_count > 0)
        check_port(&program, filter->incoming);
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
