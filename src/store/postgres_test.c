#include "store/postgres.h"

#include "harness.h"

TEST(postgres_urls)
{
    CHECK(ax_postgres_is_url(AX_STR("postgresql://x")));
}
