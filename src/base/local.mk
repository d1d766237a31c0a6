# The floor everyone may stand on.
libbase_a_SOURCES += src/base/attributes.h
libbase_a_SOURCES += src/base/buf.c src/base/buf.h
libbase_a_SOURCES += src/base/catalogue.c src/base/catalogue.h
libbase_a_SOURCES += src/base/clock.c src/base/clock.h
libbase_a_SOURCES += src/base/error.c src/base/error.h
libbase_a_SOURCES += src/base/i18n.c src/base/i18n.h
libbase_a_SOURCES += src/base/log.c src/base/log.h
libbase_a_SOURCES += src/base/mailbox.c src/base/mailbox.h
libbase_a_SOURCES += src/base/mem.c src/base/mem.h
libbase_a_SOURCES += src/base/path.c src/base/path.h
libbase_a_SOURCES += src/base/role.h
libbase_a_SOURCES += src/base/sampling.h
libbase_a_SOURCES += src/base/text.c src/base/text.h
libbase_a_SOURCES += src/base/text_decode.c
libbase_a_SOURCES += src/base/text_fold.c
libbase_a_SOURCES += src/base/tokens.c src/base/tokens.h
libbase_a_SOURCES += src/base/utf8.c src/base/utf8.h
