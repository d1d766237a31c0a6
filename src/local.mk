# The program without a screen.  One line a file:
#   libprogram_a_SOURCES += src/NAME.c src/NAME.h
libprogram_a_SOURCES += src/cmd.h
libprogram_a_SOURCES += src/command.c src/command.h
libprogram_a_SOURCES += src/help.c src/help.h
libprogram_a_SOURCES += src/option.c src/option.h
libprogram_a_SOURCES += src/option_file.c
libprogram_a_SOURCES += src/option_table.c src/option_value.h
