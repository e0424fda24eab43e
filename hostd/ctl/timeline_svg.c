/* timeline svg: the same bars for a bug report. */
#include "timeline.h"

#define WIDTH 960.0
#define LEFT  170.0 /* of the bars; labels stand before it */
#define RIGHT 90.0  /* for the durations behind them */
#define TOP   64.0
#define ROW   24.0
#define GAP   10.0 /* between the guest's bars and the host's */
#define STEPS 8.0  /* on the axis, at most */

static void put_escaped(const char *text, FILE *stream)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            (void)fputs("&amp;", stream);
        else if (*text == '<')
            (void)fputs("&lt;", stream);
        else if (*text == '>')
            (void)fputs("&gt;", stream);
        else
            (void)fputc(*text, stream);
    }
}

static double position(const struct timeline *timeline, double ms)
{
    return LEFT + (timeline->end_ms > 0 ? ms / timeline->end_ms : 0) * (WIDTH - LEFT - RIGHT);
}

/* 1, 2 or 5 and zeros, so that the axis has round numbers. */
static double step_of(double ms)
{
    double step = 1;

    while (step * STEPS < ms) {
        if (step * 2 * STEPS >= ms)
            return step * 2;
        if (step * 5 * STEPS >= ms)
            return step * 5;
        step *= 10;
    }
    return step;
}

static void write_axis(const struct timeline *timeline, double bottom, FILE *stream)
{
    double step = step_of(timeline->end_ms);

    for (unsigned i = 0; step * i <= timeline->end_ms; i++) {
        double ms = step * i, x = position(timeline, ms);

        (void)fprintf(stream,
                      "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n"
                      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#666\">%.0f ms"
                      "</text>\n",
                      x, TOP - 8, x, bottom, x, TOP - 14, ms);
    }
}

static void write_bar(const struct timeline *timeline, const struct timeline_bar *bar, double y,
                      FILE *stream)
{
    double begin = position(timeline, bar->begin_ms), end = position(timeline, bar->end_ms);
    double width = end - begin < 1.5 ? 1.5 : end - begin;

    (void)fprintf(stream,
                  "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n"
                  "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" "
                  "fill=\"%s\"/>\n"
                  "<text x=\"%.1f\" y=\"%.1f\" fill=\"#666\">%.1f ms</text>\n",
                  LEFT - 8, y + 15, bar->label, begin, y + 3, width, ROW - 6,
                  bar->host ? "#d08a1d" : "#2f7d4f", begin + width + 5, y + 15,
                  bar->end_ms - bar->begin_ms);
}

void timeline_write_svg(const struct timeline *timeline, const char *title, FILE *stream)
{
    double height = TOP + ROW * (double)timeline->count + GAP + 40, y = TOP;

    (void)fprintf(stream,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                  "<text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"bold\">",
                  WIDTH, height, WIDTH, height);
    put_escaped(title, stream);
    (void)fputs("</text>\n", stream);
    write_axis(timeline, height - 36, stream);
    for (size_t i = 0; i < timeline->count; i++) {
        if (i > 0 && timeline->bars[i].host && !timeline->bars[i - 1].host)
            y += GAP;
        write_bar(timeline, &timeline->bars[i], y, stream);
        y += ROW;
    }
    (void)fprintf(
        stream,
        "<text x=\"16\" y=\"%.1f\" fill=\"#666\">green: the guest, brown: the host; %.1f ms "
        "since the guest's kernel began; a bar ends when its step was "
        "done (guestlink " GUESTLINK_VERSION ")</text>\n</svg>\n",
        height - 14, timeline->end_ms);
}
