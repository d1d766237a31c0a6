/* The thread that owns a provider.  Requests go in, events come out; the asker never waits.
 *
 * worker_* are called on the UI thread.  REQUEST_PLAN is answered also while a reply is being generated. */
#ifndef SRC_WORKER_H
#define SRC_WORKER_H

#include "src/provider.h"

typedef struct Worker Worker;

Worker *worker_start(Provider *provider, Error *err); /* takes the provider */
void worker_stop(Worker *worker);                     /* cancels, waits, frees all; undelivered events are dropped */
/* Takes ownership.  Returns the serial that its events will carry. */
uint64_t worker_ask(Worker *worker, Request *request);
void worker_cancel(Worker *worker);                   /* stops what runs (and what was asked before this call) */
int worker_fd(const Worker *worker);                  /* readable when events wait */
Event *worker_take(Worker *worker);                   /* next waiting event, oldest first, or NULL; caller frees */
bool worker_wait(Worker *worker, int timeout_ms);     /* for programs without a poll loop */

#endif
