/* journal: what a process must know to take the relay's place, and how it is told. */
#include "journal.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind {
    KIND_MESSAGE,
    KIND_QEMU,
    KIND_ANSWERED,
    KIND_ENFORCED,
    KIND_HELD,
    KIND_RELEASED,
    KIND_ENDED,
};

/* Both ends are this program's: a record goes as it stands in memory, whole or not at all
 * (SOCK_SEQPACKET), up to the end of the message's payload. Its descriptors go as descriptors. */
struct record {
    enum kind kind;
    int status; /* waitpid(2)'s, of KIND_ENDED */
    struct {
        uint32_t request, flags, size;
        uint8_t payload[VHOST_USER_PAYLOAD_MAX];
    } message; /* of KIND_MESSAGE */
};

#define RECORD_SIZE_LEAST offsetof(struct record, message.payload)

union control {
    struct cmsghdr header;
    char data[CMSG_SPACE(sizeof(int) * VHOST_USER_FDS_MAX)];
};

static void tell(int keeper, const struct record *record, const int *fds, size_t fd_count)
{
    union control control = {.data = {0}};
    struct iovec part = {.iov_base = (void *)record,
                         .iov_len = RECORD_SIZE_LEAST + record->message.size};
    struct msghdr envelope = {.msg_iov = &part, .msg_iovlen = 1};

    if (keeper < 0)
        return;
    if (fd_count > 0) {
        envelope.msg_control = &control;
        envelope.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
        memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * fd_count);
    }
    while (sendmsg(keeper, &envelope, MSG_NOSIGNAL) < 0 && errno == EINTR)
        ;
}

static void take_message(struct journal *journal, const struct vhost_user_message *message)
{
    int r = session_note(&journal->session, message);

    if (r < 0 && !journal->is_forgetful) {
        journal->is_forgetful = true; /* said once: QEMU says how often it happens */
        (void)dprintf(STDERR_FILENO,
                      "relay: cannot record message %u of QEMU: %s; if this virtiofsd exits, "
                      "the guest may hang\n",
                      message->request, strerrordesc_np(-r));
    }
    if (vhost_user_has_answer(message)) {
        journal->asked = *message;
        journal->asked.fd_count = 0;
        journal->is_asked = true;
        journal->is_setting = r > 0;
    }
}

void journal_note_message(struct journal *journal, const struct vhost_user_message *message)
{
    struct record record = {.kind = KIND_MESSAGE};

    record.message.request = message->request;
    record.message.flags = message->flags;
    record.message.size = message->size;
    memcpy(record.message.payload, message->payload, message->size);
    tell(journal->keeper, &record, message->fds, message->fd_count);
    take_message(journal, message);
}

void journal_note_qemu(struct journal *journal, int qemu)
{
    journal->qemu = qemu;
    if (qemu >= 0)
        tell(journal->keeper, &(struct record){.kind = KIND_QEMU}, &qemu, 1);
}

void journal_note_answered(struct journal *journal)
{
    journal->is_asked = false;
    tell(journal->keeper, &(struct record){.kind = KIND_ANSWERED}, NULL, 0);
}

void journal_note_enforced(struct journal *journal)
{
    if (!journal->is_enforced)
        tell(journal->keeper, &(struct record){.kind = KIND_ENFORCED}, NULL, 0);
    journal->is_enforced = true;
}

void journal_note_held(struct journal *journal, bool is_held)
{
    journal->is_held = is_held;
    tell(journal->keeper, &(struct record){.kind = is_held ? KIND_HELD : KIND_RELEASED}, NULL, 0);
}

void journal_note_ended(struct journal *journal, int status)
{
    tell(journal->keeper, &(struct record){.kind = KIND_ENDED, .status = status}, NULL, 0);
    if (journal->keeper >= 0)
        (void)close(journal->keeper);
    journal->keeper = -1;
}

/* Waits for the next record. @return false at the relay's end */
static bool receive(int connection, struct record *record, struct vhost_user_message *message)
{
    union control control;
    struct iovec part = {.iov_base = record, .iov_len = sizeof(*record)};
    struct msghdr envelope = {.msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof(control)};
    const struct cmsghdr *header;
    ssize_t n;

    do
        n = recvmsg(connection, &envelope, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)RECORD_SIZE_LEAST || (size_t)n != RECORD_SIZE_LEAST + record->message.size)
        return false;
    header = CMSG_FIRSTHDR(&envelope);
    message->fd_count = header ? (header->cmsg_len - CMSG_LEN(0)) / sizeof(int) : 0;
    if (header)
        memcpy(message->fds, CMSG_DATA(header), message->fd_count * sizeof(int));
    message->request = record->message.request;
    message->flags = record->message.flags;
    message->size = record->message.size;
    memcpy(message->payload, record->message.payload, record->message.size);
    return true;
}

enum journal_news journal_hear(struct journal *journal, int connection, int *ret_status)
{
    static struct vhost_user_message message;
    static struct record record;

    if (!receive(connection, &record, &message))
        return JOURNAL_SILENCE;
    switch (record.kind) {
    case KIND_MESSAGE:
        take_message(journal, &message);
        break;
    case KIND_QEMU:
        if (message.fd_count != 1)
            break;
        journal->qemu = message.fds[0];
        message.fd_count = 0;
        break;
    case KIND_ANSWERED:
        journal->is_asked = false;
        break;
    case KIND_ENFORCED:
        journal->is_enforced = true;
        break;
    case KIND_HELD:
    case KIND_RELEASED:
        journal->is_held = record.kind == KIND_HELD;
        break;
    case KIND_ENDED:
        *ret_status = record.status;
        return JOURNAL_ENDED;
    }
    vhost_user_close(&message);
    return JOURNAL_ENTRY;
}
