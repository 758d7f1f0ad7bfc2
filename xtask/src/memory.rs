//! How the allocator keeps what was freed. It is told before threads run.

/// Heaps that threads share. glibc makes one for each thread, up to eight for each processor, and what is freed in one
/// serves no other: a build that uses 45 MB at once then holds 125 on two processors, and 210 with eight jobs.
#[cfg(target_env = "gnu")]
pub(crate) fn share_heaps() {
    const HEAPS: libc::c_int = 2;
    // The crate offers no safe way. A value that glibc does not know changes nothing, so that the answer is not needed.
    #[expect(unsafe_code, reason = "mallopt takes two numbers and no pointer")]
    // SAFETY: it is a setting of the allocator; no memory is handed over, and no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, HEAPS)
    };
}

/// Other C libraries have one heap.
#[cfg(not(target_env = "gnu"))]
pub(crate) fn share_heaps() {}
