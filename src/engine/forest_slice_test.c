#include "engine/forest_slice.h"
