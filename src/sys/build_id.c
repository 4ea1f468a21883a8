#include "sys/build_id.h"

#include <link.h>

/* In a note a name and what it says begin at multiples of four. */
static size_t
padded(size_t bytes)
{
    return (bytes + 3) & ~(size_t)3;
}

/* The build id among a segment's notes. */
static ax_str
find_in_notes(ax_str notes)
{
    ElfW(Nhdr) head;
    while (notes.len >= sizeof head) {
        memcpy(&head, notes.at, sizeof head);
        ax_str name = {notes.at + sizeof head, head.n_namesz};
        size_t said_at = sizeof head + padded(head.n_namesz);
        if (said_at > notes.len || head.n_descsz > notes.len - said_at)
            break;
        if (head.n_type == NT_GNU_BUILD_ID && ax_str_eq(name, AX_STR(ELF_NOTE_GNU "\0")))
            return (ax_str){notes.at + said_at, head.n_descsz};
        notes = ax_str_from(notes, said_at + padded(head.n_descsz));
    }
    return AX_STR("");
}

/* Of the first object, which is the program. */
static int
find_in_program(struct dl_phdr_info *info, size_t, void *out)
{
    ax_str *id = out;
    for (size_t i = 0; i < info->dlpi_phnum && id->len == 0; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        if (segment->p_type == PT_NOTE)
            *id = find_in_notes((ax_str){
                (const char *)(uintptr_t)(info->dlpi_addr + segment->p_vaddr), segment->p_memsz});
    }
    return 1;
}

ax_str
ax_build_id(void)
{
    ax_str id = AX_STR("");
    (void)dl_iterate_phdr(find_in_program, &id);
    return id;
}
