/* A log file for diagnosis, never the terminal.  Silent until log_open; level is checked before
 * formatting; control characters are escaped.  Any thread. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

#include "src/base/attributes.h"
#include "src/base/error.h"

typedef enum { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG } LogLevel;

bool log_open(const char *path, LogLevel level, Error *err);
void log_close(void);
void log_write(LogLevel level, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
