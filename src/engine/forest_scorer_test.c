#include "engine/forest_scorer.h"
