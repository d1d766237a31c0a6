# Manual pages, English and Japanese.  PAGE.in is prose; its @lists@ come from the program's tables
# through man-reference, which lies beside the program so that it finds the translations there.
noinst_PROGRAMS += man-reference
man_reference_SOURCES = man/reference.c
man_reference_LDADD = $(OUR_LIBS) $(SYSTEM_LIBS)

man_MANS = man/kaiwa.1 man/kaiwa.conf.5
jaman1dir = $(mandir)/ja/man1
nodist_jaman1_DATA = man/ja/kaiwa.1
jaman5dir = $(mandir)/ja/man5
nodist_jaman5_DATA = man/ja/kaiwa.conf.5
EXTRA_DIST += man/kaiwa.1.in man/kaiwa.conf.5.in man/ja/kaiwa.1.in man/ja/kaiwa.conf.5.in
CLEANFILES += man/kaiwa.1 man/kaiwa.conf.5 man/ja/kaiwa.1 man/ja/kaiwa.conf.5

if USE_NLS
MAN_LOCALE = locale.stamp
endif
MAKE_PAGE = $(MKDIR_P) man/ja && LC_ALL=C.UTF-8 LANGUAGE=$$lang \
	./man-reference$(EXEEXT) $(top_srcdir)/$@.in > $@.tmp && mv $@.tmp $@
man/kaiwa.1: man/kaiwa.1.in man-reference$(EXEEXT)
	$(AM_V_GEN)lang=en; $(MAKE_PAGE)
man/kaiwa.conf.5: man/kaiwa.conf.5.in man-reference$(EXEEXT)
	$(AM_V_GEN)lang=en; $(MAKE_PAGE)
man/ja/kaiwa.1: man/ja/kaiwa.1.in man-reference$(EXEEXT) $(MAN_LOCALE)
	$(AM_V_GEN)lang=ja; $(MAKE_PAGE)
man/ja/kaiwa.conf.5: man/ja/kaiwa.conf.5.in man-reference$(EXEEXT) $(MAN_LOCALE)
	$(AM_V_GEN)lang=ja; $(MAKE_PAGE)
