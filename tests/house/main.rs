//! The tests of the whole house, in one binary: real hosts on real files, real receivers on loopback, real components. Only time and chance
//! are made by hand, and only where a test says so.

mod accounts;
mod backoff;
mod commands;
mod demo;
mod disk;
mod hostile;
mod integrations;
mod kill;
mod languages;
mod neighbours;
mod parts;
mod payloads;
mod plugins;
mod readmes;
mod rooms;
mod same_bytes;
mod serving;
mod signatures;
mod validation;
