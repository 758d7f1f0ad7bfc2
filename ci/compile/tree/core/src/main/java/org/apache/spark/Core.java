package org.apache.spark;

/** Something to compile. */
public final class Core {
    private Core() {}

    /** The answer. */
    public static int answer() {
        return 42;
    }
}
