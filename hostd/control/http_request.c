/* http request: the request line as soon as it is there, then the headers, up to the empty line. */
#include "http_request.h"

#include "protocol/wire.h"

#include <string.h>

/* RFC 9110, 5.6.2 */
static bool is_token(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_size(struct wire_text text)
{
    size_t size = 0;

    while (size < text.size && is_token(text.data[size]))
        size++;
    return size;
}

static bool is_text(struct wire_text text, const char *wanted)
{
    return text.size == strlen(wanted) && memcmp(text.data, wanted, text.size) == 0;
}

/* Takes a line and its end off the front. @return false: it is not whole */
static bool take_line(struct wire_text *rest, struct wire_text *ret_line)
{
    const char *end = rest->size > 0 ? memchr(rest->data, '\n', rest->size) : NULL;
    size_t size = end != NULL ? (size_t)(end - rest->data) : 0;

    if (end == NULL)
        return false;
    *ret_line = (struct wire_text){.data = rest->data, .size = size};
    if (size > 0 && rest->data[size - 1] == '\r')
        ret_line->size--;
    rest->data += size + 1;
    rest->size -= size + 1;
    return true;
}

/* Takes a word up to a blank. */
static struct wire_text take_word(struct wire_text *rest)
{
    const char *blank = rest->size > 0 ? memchr(rest->data, ' ', rest->size) : NULL;
    struct wire_text word = {.data = rest->data,
                             .size = blank != NULL ? (size_t)(blank - rest->data) : rest->size};
    size_t size = word.size + (blank != NULL);

    rest->data += size;
    rest->size -= size;
    return word;
}

static int judge_method(struct wire_text method, bool *ret_head)
{
    static const char *const others[] = {"POST",    "PUT",   "DELETE", "CONNECT",
                                         "OPTIONS", "TRACE", "PATCH"};

    *ret_head = is_text(method, "HEAD");
    if (*ret_head || is_text(method, "GET"))
        return 200;
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (is_text(method, others[i]))
            return 405;
    return 501;
}

/* METHOD TARGET HTTP/1.x; one without a version is HTTP/0.9's, which nobody speaks any more. */
static int judge_line(struct wire_text line, bool *ret_head)
{
    struct wire_text method = take_word(&line), target = take_word(&line), version = line;

    if (method.size == 0 || token_size(method) != method.size || target.size == 0 ||
        wire_text_has_control(target) || version.size != 8 ||
        memcmp(version.data, "HTTP/", 5) != 0 || version.data[6] != '.' || version.data[5] < '0' ||
        version.data[5] > '9' || version.data[7] < '0' || version.data[7] > '9')
        return 400;
    return version.data[5] == '1' ? judge_method(method, ret_head) : 505;
}

/* What cannot become a request any more is known before its line ends. */
static int judge_part(struct wire_text part)
{
    size_t size = token_size(part);

    if (size < part.size && (size == 0 || part.data[size] != ' ') && part.data[size] != '\r')
        return 400;
    if (part.size < HTTP_REQUEST_BYTES / 2)
        return 0;
    return size < part.size ? 414 : 400;
}

static bool is_header(struct wire_text line)
{
    size_t size = token_size(line);

    return size > 0 && size < line.size && line.data[size] == ':' &&
           memchr(line.data, '\0', line.size) == NULL;
}

int http_request_judge(const char *data, size_t size, bool *ret_head)
{
    struct wire_text rest = {.data = data, .size = size}, line;
    int status;

    *ret_head = false;
    while (rest.size > 0 && (*rest.data == '\r' || *rest.data == '\n')) { /* RFC 9112, 2.2 */
        rest.data++;
        rest.size--;
    }
    if (!take_line(&rest, &line))
        return size == HTTP_REQUEST_BYTES && rest.size < size / 2 ? 400 : judge_part(rest);
    status = judge_line(line, ret_head);
    if (status != 200)
        return status;
    while (take_line(&rest, &line)) {
        if (line.size == 0)
            return 200;
        if (!is_header(line))
            return 400;
    }
    return size < HTTP_REQUEST_BYTES ? 0 : 431;
}

const char *http_request_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } reasons[] = {
        {200, "OK"},
        {400, "Bad Request"},
        {405, "Method Not Allowed"},
        {408, "Request Timeout"},
        {414, "URI Too Long"},
        {431, "Request Header Fields Too Large"},
        {501, "Not Implemented"},
        {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };

    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "";
}
