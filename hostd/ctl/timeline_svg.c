/* timeline svg: the same bars for a bug report. */
#include "timeline.h"

#define WIDTH 960.0
#define LEFT  170.0 /* of the bars; labels stand before it */
#define RIGHT 90.0  /* for the durations behind them */
#define TOP   64.0
#define ROW   24.0
#define STEPS 5

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

static void write_axis(const struct timeline *timeline, double bottom, FILE *stream)
{
    for (int i = 0; i <= STEPS; i++) {
        double ms = timeline->end_ms * i / STEPS, x = position(timeline, ms);

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
    double height = TOP + ROW * (double)timeline->count + 40;

    (void)fprintf(stream,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
                  "viewBox=\"0 0 %.0f %.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
                  "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
                  "<text x=\"16\" y=\"24\" font-size=\"15\" font-weight=\"bold\">",
                  WIDTH, height, WIDTH, height);
    put_escaped(title, stream);
    (void)fputs("</text>\n", stream);
    write_axis(timeline, height - 36, stream);
    for (size_t i = 0; i < timeline->count; i++)
        write_bar(timeline, &timeline->bars[i], TOP + ROW * (double)i, stream);
    (void)fprintf(stream,
                  "<text x=\"16\" y=\"%.1f\" fill=\"#666\">guest (green) and host (brown), "
                  "milliseconds since the guest's kernel began; a bar ends when its step was "
                  "done</text>\n</svg>\n",
                  height - 14);
}
