# PROG_CUDA
# ---------
# Sets NVCC, NVCCFLAGS, CUDA_ARCH_FLAGS and CUDA_LIBS and defines HAVE_CUDA when nvcc makes objects
# that $CC links.  `auto` never fails; `yes` and DIR fail with the reason.  DIR means DIR/bin/nvcc only.
# Binaries for the listed architectures alone, no PTX: nothing is compiled on the user's machine.
AC_DEFUN([PROG_CUDA], [
  AC_ARG_WITH([cuda],
    [AS_HELP_STRING([--with-cuda@<:@=auto|yes|no|DIR@:>@], [CUDA backend @<:@auto@:>@])],
    [], [with_cuda=auto])
  AC_ARG_WITH([cuda-arch],
    [AS_HELP_STRING([--with-cuda-arch=LIST],
       [numbers as in 80,90, `native' for the GPU of this machine, or `all' @<:@all@:>@])],
    [], [with_cuda_arch=all])
  AC_ARG_VAR([NVCC], [CUDA compiler])
  AC_ARG_VAR([NVCCFLAGS], [CUDA compiler flags])
  AS_CASE([$with_cuda],
    [no], [NVCC=],
    [auto|yes], [AC_PATH_PROG([NVCC], [nvcc], [], [$PATH$PATH_SEPARATOR/usr/local/cuda/bin])],
    [NVCC=$with_cuda/bin/nvcc])
  have_cuda=no
  CUDA_ARCH_FLAGS=
  CUDA_LIBS=
  AS_IF([test -n "$NVCC"], [
    AC_MSG_CHECKING([whether $NVCC makes objects that $CC links])
    prog_cuda_lib=`AS_DIRNAME(["$NVCC"])`/../lib64
    AS_IF([test -d "$prog_cuda_lib"], [prog_cuda_lib=-L$prog_cuda_lib], [prog_cuda_lib=])
    CUDA_LIBS="$prog_cuda_lib -lcudart_static -lstdc++ -lpthread -ldl -lrt"
    AS_ECHO(['__global__ void k() {} extern "C" void go(void) { k<<<1, 1>>>(); }']) > conftest_k.cu
    prog_cuda_LIBS=$LIBS
    AS_IF([$NVCC -c conftest_k.cu -o conftest_k.$OBJEXT >&AS_MESSAGE_LOG_FD 2>&1], [
      LIBS="conftest_k.$OBJEXT $CUDA_LIBS $LIBS"
      AC_LINK_IFELSE([AC_LANG_PROGRAM([[void go(void);]], [[go();]])], [have_cuda=yes])])
    LIBS=$prog_cuda_LIBS
    rm -f conftest_k.*
    AC_MSG_RESULT([$have_cuda])])
  AS_CASE([$with_cuda/$have_cuda], [auto/*|no/*|*/yes], [],
    [AC_MSG_ERROR([--with-cuda=$with_cuda was asked for but does not work; see config.log])])
  AS_IF([test $have_cuda = yes], [
    prog_cuda_known=" `$NVCC --list-gpu-arch 2>&AS_MESSAGE_LOG_FD | sed 's/compute_//' | tr '\n' ' '`"
    prog_cuda_list=$with_cuda_arch
    AS_CASE([$prog_cuda_list], [all|yes], [prog_cuda_list=75,80,86,89,90,100,120 prog_cuda_cut=yes],
      [prog_cuda_cut=no])
    AS_IF([test "$prog_cuda_list" = native], [CUDA_ARCH_FLAGS=-arch=native], [
      for sm in `AS_ECHO(["$prog_cuda_list"]) | tr , ' '`; do
        AS_CASE([$prog_cuda_known], [*" $sm "*], [],
          [AS_IF([test $prog_cuda_cut = yes], [continue],
            [AC_MSG_ERROR([--with-cuda-arch: $NVCC does not know $sm; it knows$prog_cuda_known])])])
        # The variant with the tensor instructions of that one architecture.
        AS_CASE([$sm], [90], [sm=90a])
        CUDA_ARCH_FLAGS="$CUDA_ARCH_FLAGS -gencode=arch=compute_$sm,code=sm_$sm"
      done])
    AC_DEFINE([HAVE_CUDA], [1], [The CUDA backend is built.])], [CUDA_LIBS=])
  : "${NVCCFLAGS=-O3}"
  AC_SUBST([CUDA_ARCH_FLAGS])
  AC_SUBST([CUDA_LIBS])
  AM_CONDITIONAL([HAVE_CUDA], [test $have_cuda = yes])
])
