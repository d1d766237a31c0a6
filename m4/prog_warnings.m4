# PROG_WARNINGS
# -------------
# --enable-werror, --enable-sanitize=LIST and --enable-fuzzing, as WARN_CFLAGS, SAN_FLAGS and
# FUZZ_LDFLAGS.  A flag that the compiler does not know is left out.
AC_DEFUN([PROG_WARNINGS_TRY], [
  prog_warnings_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_MSG_CHECKING([whether $CC takes $1])
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AC_MSG_RESULT([yes]); WARN_CFLAGS="$WARN_CFLAGS $1"], [AC_MSG_RESULT([no])])
  CFLAGS=$prog_warnings_CFLAGS
])

AC_DEFUN([PROG_WARNINGS], [
  AC_ARG_ENABLE([werror],
    [AS_HELP_STRING([--enable-werror], [warnings are errors])], [], [enable_werror=no])
  AC_ARG_ENABLE([sanitize],
    [AS_HELP_STRING([--enable-sanitize=LIST], [as -fsanitize=LIST, e.g. address,undefined])],
    [], [enable_sanitize=no])
  AC_ARG_ENABLE([fuzzing],
    [AS_HELP_STRING([--enable-fuzzing], [fuzz targets with libFuzzer (CC=clang)])],
    [], [enable_fuzzing=no])
  WARN_CFLAGS="-Wall -Wextra"
  m4_foreach_w([flag], [-Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
      -Wvla -Wformat=2 -Wno-format-nonliteral -Wno-missing-field-initializers -Wno-format-truncation -Wno-restrict],
    [PROG_WARNINGS_TRY(flag)])
  AS_IF([test "$enable_werror" = yes], [WARN_CFLAGS="$WARN_CFLAGS -Werror"])
  SAN_FLAGS=
  AS_CASE([$enable_sanitize],
    [no], [],
    [yes], [SAN_FLAGS="-fsanitize=address,undefined"],
    [SAN_FLAGS="-fsanitize=$enable_sanitize"])
  FUZZ_LDFLAGS=
  AS_IF([test "$enable_fuzzing" = yes], [
    SAN_FLAGS="-fsanitize=address,undefined,fuzzer-no-link"
    FUZZ_LDFLAGS="-fsanitize=fuzzer"])
  AS_IF([test -n "$SAN_FLAGS"], [
    SAN_FLAGS="$SAN_FLAGS -fno-sanitize-recover=all -fno-omit-frame-pointer"
    prog_warnings_CFLAGS=$CFLAGS
    CFLAGS="$CFLAGS $SAN_FLAGS"
    AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [],
      [AC_MSG_ERROR([$CC does not link with $SAN_FLAGS; see config.log])])
    CFLAGS=$prog_warnings_CFLAGS])
  AC_SUBST([WARN_CFLAGS])
  AC_SUBST([SAN_FLAGS])
  AC_SUBST([FUZZ_LDFLAGS])
  AM_CONDITIONAL([FUZZING], [test "$enable_fuzzing" = yes])
])
