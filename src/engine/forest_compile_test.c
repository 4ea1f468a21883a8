#include "engine/forest_compile.h"
