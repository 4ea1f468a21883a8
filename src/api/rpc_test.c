#include "api/rpc.h"

#include "harness.h"

/* Each method says who may call it and what it is for; names are there once. */
TEST(rpc_methods_say_who_may_and_what_for)
{
    for (size_t s = 0; s < ax_rpc_service_count; s++) {
        const struct ax_grpc_service *service = ax_rpc_services[s];
        CHECK(service->name[0] != 0 && service->method_count > 0);
        for (size_t m = 0; m < service->method_count; m++) {
            const struct ax_grpc_method *method = &service->methods[m];
            const struct ax_rpc *rpc = method->more;
            CHECK(method->name[0] && method->summary && method->summary[0] && method->handle);
            CHECK(rpc == &ax_rpc_public || rpc == &ax_rpc_predict || rpc == &ax_rpc_operate);
            for (size_t k = 0; k < m; k++)
                CHECK(strcmp(service->methods[k].name, method->name) != 0);
        }
    }
}

/* What changes a server is not open to whoever may score. */
TEST(r83_rpc_methods_that_change_something_ask_for_an_operator)
{
    static const char *const changing[] = {"RepositoryModelLoad", "RepositoryModelUnload",
                                           "LogSettings"};
    const struct ax_grpc_service *service = &ax_inference_grpc_service;
    for (size_t i = 0; i < AX_COUNT_OF(changing); i++)
        for (size_t m = 0; m < service->method_count; m++)
            if (strcmp(service->methods[m].name, changing[i]) == 0)
                CHECK(service->methods[m].more == &ax_rpc_operate);
}
