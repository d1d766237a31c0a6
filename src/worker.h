/* The thread that owns a provider.  Requests go in, events come out; the asker never waits.
 *
 * worker_* are called on the UI thread.  REQUEST_PLAN is answered also while a reply is being
 * generated.  REQUEST_PREREAD runs only while nothing else waits: all but a plan ends it, and no
 * event answers it. */
#ifndef SRC_WORKER_H
#define SRC_WORKER_H

#include "src/provider.h"

typedef struct Worker Worker;

Worker *worker_start(Provider *provider, Error *err); /* takes the provider */
/* cancels, waits, frees all; undelivered events are dropped */
void worker_stop(Worker *worker);
/* Takes ownership.  Returns the serial that its events will carry. */
uint64_t worker_ask(Worker *worker, Request *request);
/* stops what runs (and what was asked before this call) */
void worker_cancel(Worker *worker);
int worker_fd(const Worker *worker); /* readable when events wait */
/* next waiting event, oldest first, or NULL; caller frees */
Event *worker_take(Worker *worker);
bool worker_wait(Worker *worker, int timeout_ms); /* for programs without a poll loop */

#endif
