/* config text: checks of names, paths and addresses. */
#include "text.h"

#include "protocol/limits.h"
#include "protocol/wire.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

#define MEMORY_LEAST (UINT64_C(128) << 20) /* CONFIG_TEXT_MEMORY names it */

/* One argument of execve(2) holds at most 128 KiB, and START_PROCESS one frame of 64 KiB. */
#define WORD_SIZE 32768u

#define URI_SIZE    1024u
#define DOMAIN_SIZE 255u

/* What would break an option string, a log line or a command line. */
static bool is_plain(const char *text)
{
    return !wire_text_has_control(wire_text_of(text)) && strchr(text, ';') == NULL;
}

static bool is_name(const char *text, size_t max, const char *more)
{
    size_t size = strlen(text);

    if (size == 0 || size > max || text[0] == '-' || text[0] == '.')
        return false;
    for (; *text != '\0'; text++)
        if (!isalnum((unsigned char)*text) && strchr(more, *text) == NULL)
            return false;
    return true;
}

const char *config_text_check_vm_name(const char *text)
{
    return is_name(text, LIMITS_VM_NAME, "-_.")
               ? NULL
               : "1 to 64 letters, digits, `-`, `_`, `.`, not beginning with `-` or `.`";
}

const char *config_text_check_hostname(const char *text)
{
    return is_name(text, LIMITS_HOSTNAME, "-.")
               ? NULL
               : "1 to 64 letters, digits, `-`, `.`, not beginning with `-` or `.`";
}

const char *config_text_check_tag(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= LIMITS_TAG && is_plain(text)
               ? NULL
               : "1 to 36 bytes without `;` and control characters";
}

const char *config_text_check_id(const char *text)
{
    return is_name(text, 32, "-_.") ? NULL : "1 to 32 letters, digits, `-`, `_`, `.`";
}

const char *config_text_check_path(const char *text)
{
    return text[0] == '/' && strlen(text) < LIMITS_PATH && is_plain(text)
               ? NULL
               : "an absolute path without `;` and control characters";
}

const char *config_text_check_uri(const char *text)
{
    return isalpha((unsigned char)text[0]) && strchr(text, ':') != NULL &&
                   strlen(text) <= URI_SIZE && strchr(text, ' ') == NULL && is_plain(text)
               ? NULL
               : "a URI of libvirt's such as \"qemu:///system\"";
}

const char *config_text_check_domain(const char *text)
{
    return text[0] != '\0' && text[0] != '-' && strlen(text) <= DOMAIN_SIZE &&
                   strchr(text, '/') == NULL && is_plain(text)
               ? NULL
               : "the name of a domain: 1 to 255 bytes without `/`, `;` and control characters";
}

const char *config_text_check_socket(const char *text)
{
    return text[0] == '/' && is_plain(text) &&
                   strlen(text) < sizeof(((struct sockaddr_un *)NULL)->sun_path)
               ? NULL
               : "an absolute path of at most 107 bytes without `;` and control characters";
}

static bool has_component(const char *path, const char *wanted)
{
    size_t size = strlen(wanted);

    for (const char *at = path; (at = strchr(at, '/')) != NULL;) {
        at++;
        if (strncmp(at, wanted, size) == 0 && (at[size] == '/' || at[size] == '\0'))
            return true;
    }
    return false;
}

/* True if @p path is @p root or below it; `//` and a `/` at the end are no escape. */
static bool is_below(const char *path, const char *root)
{
    size_t size = strlen(root);

    path += strspn(path, "/");
    return strncmp(path, root, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

const char *config_text_check_target(const char *text)
{
    if (text[0] != '/' || strlen(text) >= LIMITS_PATH || !is_plain(text))
        return "an absolute path in the guest without `;` and control characters";
    if (has_component(text, "..") || has_component(text, "."))
        return "a path without `.` and `..`";
    if (text[strspn(text, "/")] == '\0' || is_below(text, "proc") || is_below(text, "sys") ||
        is_below(text, "dev"))
        return "a path that is neither `/` nor in /proc, /sys or /dev";
    return NULL;
}

const char *config_text_check_ip(const char *text)
{
    uint8_t address[16];

    return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1
               ? NULL
               : "an IP address such as \"10.0.2.2\" or \"fd00::2\"";
}

const char *config_text_check_address(const char *text)
{
    static const char expected[] =
        "an IP address with its prefix length such as \"10.0.2.15/24\" or \"fd00::15/64\"";
    const char *slash = strchr(text, '/');
    char address[64];
    unsigned long prefix;
    char *end;

    if (slash == NULL || (size_t)(slash - text) >= sizeof(address) || !isdigit((uint8_t)slash[1]))
        return expected;
    (void)snprintf(address, sizeof(address), "%.*s", (int)(slash - text), text);
    prefix = strtoul(slash + 1, &end, 10);
    if (*end != '\0' || prefix > (strchr(address, ':') != NULL ? 128 : 32))
        return expected;
    return config_text_check_ip(address) == NULL ? NULL : expected;
}

const char *config_text_check_interface(const char *text)
{
    return is_name(text, IFNAMSIZ - 1, "-_.@") ? NULL : "the name of a network interface";
}

static bool is_number(const char *text, size_t size, unsigned long max)
{
    char *end;

    return size > 0 && size <= 10 && isdigit((uint8_t)text[0]) && strtoul(text, &end, 10) <= max &&
           end == text + size;
}

const char *config_text_check_listen(const char *text)
{
    static const char expected[] = "\"vsock:[CID]:PORT\" or \"unix:/path\"";
    const char *colon;

    if (strncmp(text, "unix:", 5) == 0)
        return config_text_check_socket(text + 5) == NULL ? NULL : expected;
    if (strncmp(text, "vsock:", 6) != 0)
        return expected;
    text += 6;
    colon = strchr(text, ':');
    if (colon == NULL || !is_number(colon + 1, strlen(colon + 1), UINT32_MAX - 1ul))
        return expected;
    return colon == text || is_number(text, (size_t)(colon - text), UINT32_MAX) ? NULL : expected;
}

const char *config_text_check_word(const char *text)
{
    return strlen(text) < WORD_SIZE ? NULL : "less than 32768 bytes";
}

const char *config_text_check_variable(const char *text)
{
    const char *equals = strchr(text, '=');

    return equals != NULL && equals != text && strlen(text) < WORD_SIZE
               ? NULL
               : "NAME=VALUE of less than 32768 bytes";
}

const char *config_text_check_group(const char *text)
{
    return is_name(text, 32, "-_.$") ? NULL : "the name of a group";
}

void config_text_normalise_path(char *path)
{
    char *to = path;

    for (const char *from = path; *from != '\0'; from++)
        if (from[0] == '/' && from[1] == '.' && (from[2] == '/' || from[2] == '\0'))
            from++;
        else if (from[0] != '/' || (from[1] != '/' && from[1] != '\0'))
            *to++ = *from;
    if (to == path && *path == '/')
        to++;
    *to = '\0';
}

bool config_text_parse_mac(const char *text, uint8_t ret_mac[6])
{
    uint8_t mac[6], any = 0;

    if (strlen(text) != 17)
        return false;
    for (size_t i = 0; i < 6; i++, text += 3) {
        char digits[3] = {text[0], text[1], '\0'};

        if (!isxdigit((uint8_t)text[0]) || !isxdigit((uint8_t)text[1]) ||
            text[2] != (i < 5 ? ':' : '\0'))
            return false;
        mac[i] = (uint8_t)strtoul(digits, NULL, 16);
        any |= mac[i];
    }
    if ((mac[0] & 1) != 0 || any == 0)
        return false;
    memcpy(ret_mac, mac, 6);
    return true;
}

bool config_text_parse_uuid(const char *text, char ret_id[37])
{
    if (strlen(text) != 36)
        return false;
    for (size_t i = 0; i < 36; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;

        if (dash ? text[i] != '-' : !isxdigit((uint8_t)text[i]))
            return false;
    }
    for (size_t i = 0; i <= 36; i++)
        ret_id[i] = (char)tolower((uint8_t)text[i]);
    return true;
}

int config_text_parse_size(const char *text, uint64_t *ret_bytes)
{
    static const char units[] = "KMGT";
    unsigned long long value;
    unsigned shift = 0;
    const char *unit;
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL; /* strtoull() would take blanks and signs */
    errno = 0;
    value = strtoull(text, &end, 10);
    if (errno != 0)
        return -ERANGE;
    if (*end != '\0') {
        unit = strchr(units, *end & ~0x20);
        if (unit == NULL || *unit == '\0')
            return -EINVAL;
        shift = 10 * ((unsigned)(unit - units) + 1);
        end++;
        if (*end != '\0' && strcasecmp(end, "B") != 0 && strcasecmp(end, "iB") != 0)
            return -EINVAL;
    }
    if (shift != 0 && value >> (64 - shift) != 0)
        return -ERANGE;
    *ret_bytes = (uint64_t)value << shift;
    return 0;
}

int config_text_parse_memory(const char *text, uint64_t *ret_bytes)
{
    uint64_t bytes = 0;
    int r = config_text_parse_size(text, &bytes);

    if (r == 0 && bytes < MEMORY_LEAST)
        r = -ERANGE;
    if (r == 0)
        *ret_bytes = bytes & ~((UINT64_C(1) << 20) - 1);
    return r;
}

int config_text_parse_withdrawn_pool(const char *text, uint64_t *ret_bytes)
{
    char *end;

    if (*text < '0' || *text > '9')
        return -EINVAL;
    errno = 0;
    (void)strtoull(text, &end, 0);
    if (errno != 0 || *end != ',')
        return -EINVAL;
    return config_text_parse_size(end + 1, ret_bytes) == 0 ? 0 : -EINVAL;
}

/* Levenshtein's, one row at a time. */
size_t config_text_distance(const char *a, const char *b)
{
    size_t row[41], size = strnlen(b, 40);

    for (size_t j = 0; j <= size; j++)
        row[j] = j;
    for (size_t i = 1; i <= 40 && a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= size; j++) {
            size_t best = diagonal + (tolower((uint8_t)a[i - 1]) != tolower((uint8_t)b[j - 1]));

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[size];
}

void config_text_sanitise(char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}
