//! Every limit of the house in one place, with its default and its reason. The front door parses them from the configuration; no
//! room has a number of its own for what a client, a guest or a receiver can spend.

use serde::{Deserialize, Serialize};

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;
const GIB: u64 = 1024 * MIB;

/// All limits. A unit stands in each name; none is "no limit" when it is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// What clients may send and store.
    pub intake: IntakeLimits,
    /// What a component and a call of it may use.
    pub plugin: PluginLimits,
    /// What a delivery and its attempts may use.
    pub delivery: DeliveryLimits,
    /// What a backtest may use.
    pub backtest: BacktestLimits,
}

/// A limit with which nothing would work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("limits.{name} must be at {} {bound}", if *is_least { "least" } else { "most" })]
pub struct BadLimit {
    name: &'static str,
    is_least: bool,
    bound: u64,
}

/// The longest time that a limit may name: a year, in milliseconds. The clocks of some systems do not go on for ever.
const TIME_MS_MAX: u64 = 365 * 24 * 60 * 60 * 1000;

impl Limits {
    /// Whether each limit leaves room to work at all. 0 never means that there is none.
    pub fn check(&self) -> Result<(), BadLimit> {
        let (intake, plugin, delivery, backtest) = (&self.intake, &self.plugin, &self.delivery, &self.backtest);
        let least = [
            ("intake.event_body_bytes_max", intake.event_body_bytes_max, 1),
            ("intake.batch_events_max", u64::from(intake.batch_events_max), 1),
            ("intake.batch_runs_max", u64::from(intake.batch_runs_max), 1),
            ("intake.request_body_bytes_max", intake.request_body_bytes_max, 1),
            ("intake.request_read_timeout_ms", intake.request_read_timeout_ms, 1),
            ("intake.connections_max", u64::from(intake.connections_max), 1),
            ("plugin.component_bytes_max", plugin.component_bytes_max, 1),
            ("plugin.cpu_ms", plugin.cpu_ms, 1),
            ("plugin.wall_ms", plugin.wall_ms, 1),
            ("plugin.memory_bytes", plugin.memory_bytes, 64 * KIB),
            ("plugin.memory_bytes_max", plugin.memory_bytes_max, plugin.memory_bytes),
            ("plugin.output_bytes_max", plugin.output_bytes_max, 1),
            ("plugin.requests_max", u64::from(plugin.requests_max), 1),
            ("plugin.calls_at_once_per_thread", u64::from(plugin.calls_at_once_per_thread), 1),
            ("plugin.compile_cpu_seconds", plugin.compile_cpu_seconds, 1),
            ("plugin.faults_in_a_row_max", u64::from(plugin.faults_in_a_row_max), 1),
            ("delivery.connect_timeout_ms", delivery.connect_timeout_ms, 1),
            ("delivery.attempt_timeout_ms", delivery.attempt_timeout_ms, 1),
            (
                "delivery.attempt_timeout_ms_max",
                delivery.attempt_timeout_ms_max,
                delivery.attempt_timeout_ms,
            ),
            ("delivery.in_flight_max_per_target", u64::from(delivery.in_flight_max_per_target), 1),
            (
                "delivery.in_flight_max_per_organization",
                u64::from(delivery.in_flight_max_per_organization),
                1,
            ),
            ("delivery.in_flight_max", u64::from(delivery.in_flight_max), 1),
            ("delivery.age_ms_max", delivery.age_ms_max, 1),
            ("backtest.events_max", backtest.events_max, 1),
            ("backtest.scanned_events_max", backtest.scanned_events_max, 1),
            ("backtest.time_ms_max", backtest.time_ms_max, 1),
            ("backtest.at_once_max", u64::from(backtest.at_once_max), 1),
            (
                "backtest.at_once_max_per_organization",
                u64::from(backtest.at_once_max_per_organization),
                1,
            ),
            ("backtest.diff_bytes_max", backtest.diff_bytes_max, KIB),
        ];
        let most = [
            ("intake.request_read_timeout_ms", intake.request_read_timeout_ms, TIME_MS_MAX),
            ("plugin.cpu_ms", plugin.cpu_ms, TIME_MS_MAX),
            ("plugin.wall_ms", plugin.wall_ms, TIME_MS_MAX),
            ("plugin.compile_cpu_seconds", plugin.compile_cpu_seconds, TIME_MS_MAX / 1000),
            ("delivery.connect_timeout_ms", delivery.connect_timeout_ms, TIME_MS_MAX),
            ("delivery.attempt_timeout_ms_max", delivery.attempt_timeout_ms_max, TIME_MS_MAX),
            ("delivery.age_ms_max", delivery.age_ms_max, TIME_MS_MAX),
            ("delivery.retry_after_ms_max", delivery.retry_after_ms_max, TIME_MS_MAX),
            ("delivery.shutdown_grace_ms", delivery.shutdown_grace_ms, TIME_MS_MAX),
            ("backtest.time_ms_max", backtest.time_ms_max, TIME_MS_MAX),
        ];
        let bad = |is_least, (name, _, bound)| BadLimit { name, is_least, bound };
        let too_small = least.into_iter().find(|(_, value, least)| value < least);
        let too_large = most.into_iter().find(|(_, value, most)| value > most);
        match (too_small, too_large) {
            (Some(limit), _) => Err(bad(true, limit)),
            (None, Some(limit)) => Err(bad(false, limit)),
            (None, None) => Ok(()),
        }
    }
}

/// What clients may send and store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IntakeLimits {
    /// The largest body of `POST /events`, of one event or a batch: 413 past it.
    pub event_body_bytes_max: u64,
    /// The most events of one batch: 413 past it.
    pub batch_events_max: u32,
    /// The most runs that one batch may owe: 413 past it.
    pub batch_runs_max: u32,
    /// The largest body of every other call but an upload.
    pub request_body_bytes_max: u64,
    /// How long a client may take to send its request's headers, and its body; and to read a large answer, for each `event_body_bytes_max` of
    /// it.
    pub request_read_timeout_ms: u64,
    /// The most connections of clients at once.
    pub connections_max: u32,
    /// Payload bytes of all organizations in memory; past it, events go to the queue on disk. Bodies of requests that are being read, and
    /// large answers until they are read, may each have as much: past it they wait, and get 503. Of bodies that wait for each other one goes on
    /// past it.
    pub payload_memory_bytes_max: u64,
    /// Payload bytes of one organization in memory; past it, its events go to the queue on disk.
    pub payload_memory_bytes_max_per_organization: u64,
    /// The most integrations of an organization: 429 past it.
    pub integrations_max: u32,
    /// The most API keys of an organization, expired ones among them until they are deleted: 429 past it. All of them are held in memory.
    pub keys_max: u32,
    /// The most plugins of an organization that have a version: 429 past it. This and the next two bind no operator for the host's own plugins.
    pub plugins_max: u32,
    /// The most versions of a plugin that are not deleted: 429 past it. Whoever uploads at each change of a source has years to delete some.
    pub versions_max: u32,
    /// Bytes of the components of all versions of an organization's plugins, the same bytes twice where two plugins have them: 429 past it.
    /// What is uploaded stays until it is deleted, so no key fills the disk that all share.
    pub component_bytes_max_per_organization: u64,
    /// Free space on the disk of the data folder, below which new events and uploads get 503. Outcomes still fit into what is left.
    pub disk_free_bytes_min: u64,
}

impl Default for IntakeLimits {
    fn default() -> IntakeLimits {
        IntakeLimits {
            event_body_bytes_max: 16 * MIB,
            batch_events_max: 1000,
            batch_runs_max: 10_000,
            request_body_bytes_max: 4 * MIB,
            request_read_timeout_ms: 30_000,
            connections_max: 4096,
            payload_memory_bytes_max: 256 * MIB,
            payload_memory_bytes_max_per_organization: 64 * MIB,
            integrations_max: 1000,
            keys_max: 1000,
            plugins_max: 1000,
            versions_max: 1000,
            component_bytes_max_per_organization: GIB,
            disk_free_bytes_min: GIB,
        }
    }
}

/// What a component and a call of it may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PluginLimits {
    /// The largest component that may be uploaded: 413 past it.
    pub component_bytes_max: u64,
    /// CPU time of a call, in running slices and not in time spent waiting for a core.
    pub cpu_ms: u64,
    /// Further CPU time for each MiB of the event's data.
    pub cpu_ms_per_mib: u64,
    /// Wall-clock time of a call. It guards against the host's own faults alone.
    pub wall_ms: u64,
    /// Memory of a call: the sum over its memories.
    pub memory_bytes: u64,
    /// Further memory, as a multiple of the event's data.
    pub memory_input_factor: u64,
    /// What memory never exceeds, whatever the input.
    pub memory_bytes_max: u64,
    /// The sum over all requests of all that they hold, bodies above all; twice the input if that is more.
    pub output_bytes_max: u64,
    /// The most requests of one outcome.
    pub requests_max: u32,
    /// Lines of log kept of one call.
    pub log_lines_max: u32,
    /// Lines that may be said past what is kept: they are counted. More are a flood, and end the call.
    pub log_left_out_lines_max: u32,
    /// Bytes kept of one line.
    pub log_line_bytes_max: u64,
    /// Bytes of log kept of one call.
    pub log_bytes_max: u64,
    /// The largest `plugin_config`.
    pub config_bytes_max: u64,
    /// Calls under way at once, for each thread that runs plugins. One organization gets half of them, the next one half of what is left.
    pub calls_at_once_per_thread: u32,
    /// CPU time of compiling one component.
    pub compile_cpu_seconds: u64,
    /// Address space of the process that compiles.
    pub compile_memory_bytes: u64,
    /// Faults in a row that stop an integration's calls until somebody acts.
    pub faults_in_a_row_max: u32,
}

impl Default for PluginLimits {
    fn default() -> PluginLimits {
        PluginLimits {
            component_bytes_max: 64 * MIB,
            cpu_ms: 250,
            cpu_ms_per_mib: 150,
            wall_ms: 10_000,
            memory_bytes: 64 * MIB,
            memory_input_factor: 4,
            memory_bytes_max: 128 * MIB,
            output_bytes_max: 4 * MIB,
            requests_max: 64,
            log_lines_max: 200,
            log_left_out_lines_max: 10_000,
            log_line_bytes_max: 4 * KIB,
            log_bytes_max: 16 * KIB,
            config_bytes_max: 64 * KIB,
            calls_at_once_per_thread: 16,
            compile_cpu_seconds: 60,
            compile_memory_bytes: 4 * GIB,
            faults_in_a_row_max: 10,
        }
    }
}

impl PluginLimits {
    /// CPU time of a call on that much data, in milliseconds.
    pub fn cpu_ms_for(&self, data_bytes: u64) -> u64 {
        self.cpu_ms.saturating_add(self.cpu_ms_per_mib.saturating_mul(data_bytes) / MIB)
    }

    /// Memory of a call on that much data, in bytes.
    pub fn memory_bytes_for(&self, data_bytes: u64) -> u64 {
        let grown = self
            .memory_bytes
            .saturating_add(self.memory_input_factor.saturating_mul(data_bytes));
        grown.min(self.memory_bytes_max)
    }

    /// Output of a call on that much data, in bytes.
    pub fn output_bytes_for(&self, data_bytes: u64) -> u64 {
        self.output_bytes_max.max(data_bytes.saturating_mul(2))
    }
}

/// What a delivery and its attempts may use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeliveryLimits {
    /// Time for a name's look-up, the connection and the TLS handshake.
    pub connect_timeout_ms: u64,
    /// Time for a whole attempt, unless the integration sets its own.
    pub attempt_timeout_ms: u64,
    /// The longest `timeout_ms` that an integration may set.
    pub attempt_timeout_ms_max: u64,
    /// Bytes kept of a failed attempt's response.
    pub response_kept_bytes_max: u64,
    /// Bytes kept of a successful attempt's response.
    pub response_kept_bytes_max_of_success: u64,
    /// Bytes read of a response before the connection is dropped.
    pub response_read_bytes_max: u64,
    /// Attempts under way at once to one target.
    pub in_flight_max_per_target: u32,
    /// Attempts under way at once of one organization.
    pub in_flight_max_per_organization: u32,
    /// Attempts under way at once.
    pub in_flight_max: u32,
    /// How old a delivery grows before it is given up, whatever its schedule.
    pub age_ms_max: u64,
    /// The longest `Retry-After` that is honoured.
    pub retry_after_ms_max: u64,
    /// How long a shutdown may take. Nine tenths of it are for attempts under way.
    pub shutdown_grace_ms: u64,
}

impl Default for DeliveryLimits {
    fn default() -> DeliveryLimits {
        DeliveryLimits {
            connect_timeout_ms: 5_000,
            attempt_timeout_ms: 15_000,
            attempt_timeout_ms_max: 60_000,
            response_kept_bytes_max: 16 * KIB,
            response_kept_bytes_max_of_success: KIB,
            response_read_bytes_max: 64 * KIB,
            in_flight_max_per_target: 64,
            in_flight_max_per_organization: 256,
            in_flight_max: 2048,
            age_ms_max: 7 * 24 * 60 * 60 * 1000,
            retry_after_ms_max: 60 * 60 * 1000,
            shutdown_grace_ms: 20_000,
        }
    }
}

/// What a backtest may use. All of it is spent by one thread of the host's, which stands back behind everything else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BacktestLimits {
    /// The most events that one compares, each by two calls: some ten seconds with small plugins, some minutes with interpreted ones.
    pub events_max: u64,
    /// The most events that one looks at to find those which the integration matches: a rare kind is found among many others.
    pub scanned_events_max: u64,
    /// The longest that one may take, whatever its plugins do and however long it gives way: then it answers what it has found.
    pub time_ms_max: u64,
    /// Backtests under way at once: they take turns, event by event, so that more of them are slower and not more work. Each keeps two
    /// components and up to a page of events in memory.
    pub at_once_max: u32,
    /// Those of one organization: a second one would only slow the first.
    pub at_once_max_per_organization: u32,
    /// Bytes of the differences that are told of the first event of each kind: what people read, and no payload as a whole.
    pub diff_bytes_max: u64,
}

impl Default for BacktestLimits {
    fn default() -> BacktestLimits {
        BacktestLimits {
            events_max: 100_000,
            scanned_events_max: 1_000_000,
            time_ms_max: 10 * 60 * 1000,
            at_once_max: 4,
            at_once_max_per_organization: 1,
            diff_bytes_max: 16 * KIB,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_gets_more_for_more_data() {
        let limits = PluginLimits::default();
        assert_eq!(limits.cpu_ms_for(2 * MIB), 550);
        assert_eq!(limits.memory_bytes_for(0), 64 * MIB);
        assert_eq!(limits.memory_bytes_for(MIB), 68 * MIB);
        assert_eq!(limits.memory_bytes_for(u64::MAX), 128 * MIB);
        assert_eq!(limits.output_bytes_for(3 * MIB), 6 * MIB);
    }
}
