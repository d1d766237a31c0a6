/* The conversation as rows on the screen, and where one looks at it.
 *
 * Either it follows the end, or it holds a place: a message and a byte in it, so that neither new
 * text nor another width moves what is being read.  Rows are made when they are needed and kept for
 * each message. */
#ifndef UI_TRANSCRIPT_H
#define UI_TRANSCRIPT_H

#include <stdbool.h>
#include <stdint.h>

#include "src/chat.h"
#include "ui/grid.h"
#include "ui/layout.h"

typedef struct {
    int64_t message;
    LayoutCache cache;
} TranscriptRows;

typedef struct {
    size_t block; /* message's index on the path; the number of messages: the note */
    int row;      /* in the block */
} TranscriptPlace;

typedef enum { PART_HEAD, PART_TEXT, PART_TAIL } TranscriptPart;

typedef struct {
    bool follow;
    int64_t anchor_message; /* 0: the note */
    TranscriptPart anchor_part;
    size_t anchor_byte;   /* in the text: start of the first row shown */
    int anchor_row;       /* above or below it: the row there */
    TranscriptRows *rows; /* by message id */
    size_t n_rows, cap_rows;
    Buf note; /* shown after the last message */
    LayoutCache note_rows;
    /* of the last draw */
    const Chat *chat;
    Message **path;
    size_t n_path, cap_path;
    int cols, height;
} Transcript;

void transcript_init(Transcript *transcript);
void transcript_release(Transcript *transcript);
/* Another conversation: forgets rows, follows the end. */
void transcript_reset(Transcript *transcript);
void transcript_set_note(Transcript *transcript, Str text);
/* Looks at the chat's path and lays out what the rest needs. */
void transcript_update(Transcript *transcript, const Chat *chat, int cols, int height);
void transcript_draw(Transcript *transcript, Grid *grid, Rect area);
void transcript_scroll(Transcript *transcript, int rows); /* negative: back */
void transcript_top(Transcript *transcript);
/* Shows the note from its first row, also where it is longer than the window. */
void transcript_read_note(Transcript *transcript);
void transcript_bottom(Transcript *transcript);

#endif
