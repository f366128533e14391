//! What a call's instances may take: the sum over all their memories, and over all their tables.
//!
//! Growth past the limit is a trap, not a refusal that a guest could ignore: so equal bytes come out of equal inputs whatever a
//! guest makes of a failed growth. A growth that breaks the guest's own declared maximum is refused as the specification says.

use wasmtime::ResourceLimiter;

use crate::fault::{HostFailed, LimitMet};

/// The sums of one call.
#[derive(Debug)]
pub(crate) struct Memory {
    bytes: u64,
    bytes_peak: u64,
    bytes_max: u64,
    elements: u64,
    elements_max: u64,
}

impl Memory {
    /// Nothing taken yet. `elements_max` is at most what the pool gives a single table, so that this limit is met before the pool's.
    pub(crate) fn new(bytes_max: u64, elements_max: u64) -> Memory {
        Memory {
            bytes: 0,
            bytes_peak: 0,
            bytes_max,
            elements: 0,
            elements_max,
        }
    }

    /// The largest sum that the memories had.
    pub(crate) fn bytes_peak(&self) -> u64 {
        self.bytes_peak
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let bytes = self.bytes.saturating_add(desired.saturating_sub(current) as u64);
        if bytes > self.bytes_max {
            return Err(LimitMet::Memory { bytes_max: self.bytes_max }.into());
        }
        self.bytes = bytes;
        self.bytes_peak = self.bytes_peak.max(bytes);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, source: wasmtime::Error) -> wasmtime::Result<()> {
        // What was approved above failed in the host: the guest must not go on as if its own limit were met. What broke the guest's
        // declared maximum was refused before it was counted, and also comes here.
        if source.downcast_ref::<std::io::Error>().is_some() {
            return Err(HostFailed { what: "memory", source }.into());
        }
        Ok(())
    }

    fn table_growing(&mut self, current: usize, desired: usize, maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Judged before the maximum, which is the pool's cap where the guest declares none.
        let elements = self.elements.saturating_add(desired.saturating_sub(current) as u64);
        if elements > self.elements_max {
            return Err(LimitMet::Tables {
                elements_max: self.elements_max,
            }
            .into());
        }
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit_of(result: wasmtime::Result<bool>) -> LimitMet {
        let error = result.expect_err("past the limit");
        *error.downcast_ref().expect("a limit")
    }

    #[test]
    fn memories_are_summed() {
        let mut memory = Memory::new(100, 50);
        assert!(memory.memory_growing(0, 60, None).expect("within"));
        assert!(memory.memory_growing(0, 40, None).expect("within"));
        assert_eq!(limit_of(memory.memory_growing(40, 41, None)), LimitMet::Memory { bytes_max: 100 });
        assert_eq!(memory.bytes_peak(), 100);
    }

    #[test]
    fn a_declared_maximum_is_no_fault() {
        let mut memory = Memory::new(100, 50);
        assert!(!memory.memory_growing(10, 1000, Some(20)).expect("refused"));
        assert!(!memory.table_growing(10, 30, Some(20)).expect("refused"));
        assert_eq!(memory.bytes_peak(), 0);
    }

    #[test]
    fn tables_are_summed() {
        let mut memory = Memory::new(100, 50);
        assert!(memory.table_growing(0, 49, None).expect("within"));
        assert_eq!(limit_of(memory.table_growing(0, 2, None)), LimitMet::Tables { elements_max: 50 });
    }
}
