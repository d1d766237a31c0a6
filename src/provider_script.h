/* A provider that plays events from a text file, for tests, replays and demonstrations.
 *
 * The file is UTF-8, one step a line; empty lines and lines that begin with # count for
 * nothing.  In TEXT, \n is a line feed, \t a tab, \s a space (for one at an end) and \\ a
 * backslash.
 *
 *     open NAME [CONTEXT]    what OPEN reports; else "script" and 4096.  Steps up to the
 *                            first `reply` belong to OPEN
 *     reply                  begins a reply.  Each GENERATE plays the next one; after the last
 *                            comes the first again
 *     window N               STARTED says that messages before N are no longer seen
 *     usage PROMPT REUSED    the counts; else they are counted from the texts, a token a word or
 *                            character, and the cache is a list of such tokens as in a real
 *                            session
 *     timing FIRST PREFILL DECODE   milliseconds that DONE reports; else measured
 *     progress DONE TOTAL    a PROGRESS event: of loading in OPEN, of reading in a reply
 *     wait MS                sleeps; a stop ends it early
 *     text TEXT              a TEXT event
 *     thinking TEXT          the same, marked as thinking
 *     stream MS TEXT         a TEXT event for each word or character, MS apart
 *     done REASON            eos (also without this line), stop, length, context or cancelled
 *     fail TEXT              FAILED with this sentence; ends the reply, or makes OPEN fail
 *
 * STARTED comes before everything of a reply except its `window`, `usage` and `timing`.  PLAN is
 * always answered, from the texts, at one millisecond a token.
 *
 * The gate: a replay that must not depend on time closes it.  Then `wait` and the MS of `stream`
 * take no time, and every event of OPEN and GENERATE waits until provider_script_release lets it
 * through (a stop gets through by itself). */
#ifndef SRC_PROVIDER_SCRIPT_H
#define SRC_PROVIDER_SCRIPT_H

#include "src/provider.h"

extern const ProviderKind provider_script;

/* Any thread.  Opening and closing the gate forgets what was released. */
void provider_script_gate(bool closed);
/* Lets the next n events through. */
void provider_script_release(int n);

#endif
