//! The tests of the whole house, in one binary: real hosts on real files, real receivers on loopback, real components. Only time and chance
//! are made by hand, and only where a test says so.

mod backoff;
mod kill;
mod parts;
