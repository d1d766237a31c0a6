# The screen.  One line a file:
#   libui_a_SOURCES += ui/NAME.c ui/NAME.h
libui_a_SOURCES += ui/edit.c ui/edit.h
libui_a_SOURCES += ui/editor.c ui/editor.h
libui_a_SOURCES += ui/editor_keys.c
libui_a_SOURCES += ui/grid.c ui/grid.h
libui_a_SOURCES += ui/key.c ui/key.h
libui_a_SOURCES += ui/layout.c ui/layout.h
libui_a_SOURCES += ui/recall.c ui/recall.h
libui_a_SOURCES += ui/theme.c ui/theme.h
libui_a_SOURCES += ui/undo.c ui/undo.h
