import Glibc

/// What every Prometheus client tells of its own process, read from /proc at each scrape (proc_pid_stat(5)).
/// What cannot be read is left out.
enum ProcessMetrics {
    /// These names are taken: a caller's metric of the same name would give two families of one name.
    static let names: Set<String> = [
        "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_cpu_seconds_total",
        "process_start_time_seconds",
    ]

    static func families() -> [RenderedFamily] {
        var families: [RenderedFamily] = []
        func gauge(_ name: String, _ help: String, _ value: Double) {
            let series = GaugeSeries(SeriesIdentity(name: name, labels: ""))
            series.set(value)
            families.append(RenderedFamily(name: name, type: "gauge", help: help, series: [series]))
        }
        if let status = Status.read() {
            gauge("process_resident_memory_bytes", "Resident memory size in bytes.", status.residentBytes)
            let cpu = CounterSeries(SeriesIdentity(name: "process_cpu_seconds_total", labels: ""))
            cpu.increment(by: status.cpuSeconds)
            let help = "Total user and system CPU time spent in seconds."
            families.append(RenderedFamily(name: cpu.identity.name, type: "counter", help: help, series: [cpu]))
            if let boot = bootTime() {
                let help = "Start time of the process since unix epoch in seconds."
                gauge("process_start_time_seconds", help, boot + status.startedAfterBoot)
            }
        }
        if let open = openDescriptors() {
            gauge("process_open_fds", "Number of open file descriptors.", Double(open))
        }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            gauge("process_max_fds", "Maximum number of open file descriptors.", Double(limit.rlim_cur))
        }
        return families
    }

    private struct Status {
        let cpuSeconds: Double
        let startedAfterBoot: Double
        let residentBytes: Double

        static func read() -> Status? {
            // The second field, the command in parentheses, may itself hold spaces and parentheses.
            guard let text = contents("/proc/self/stat"), let end = text.lastIndex(of: ")") else { return nil }
            // The first of these is field 3 of the manual page.
            let fields = text[text.index(after: end)...].split(separator: " ")
            let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
            guard fields.count > 21, ticks > 0,
                let user = Double(fields[11]), let system = Double(fields[12]),
                let started = Double(fields[19]), let pages = Double(fields[21])
            else { return nil }
            return Status(
                cpuSeconds: (user + system) / ticks,
                startedAfterBoot: started / ticks,
                residentBytes: pages * Double(sysconf(Int32(_SC_PAGESIZE)))
            )
        }
    }

    private static func bootTime() -> Double? {
        contents("/proc/stat")?.split(separator: "\n")
            .first { $0.hasPrefix("btime ") }
            .flatMap { Double($0.dropFirst("btime ".count)) }
    }

    private static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil {
            entries += 1
        }
        // Not the two dots, not the descriptor that reads them.
        return max(0, entries - 3)
    }

    /// At most 1 MiB of the file.
    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            guard count > 0 else { break }
            bytes.append(contentsOf: chunk[..<count])
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
