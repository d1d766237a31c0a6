/* The provider that runs a model on this machine: an Engine and one Session. */
#ifndef SRC_PROVIDER_LOCAL_H
#define SRC_PROVIDER_LOCAL_H

#include "src/provider.h"

extern const ProviderKind provider_local;

#endif
