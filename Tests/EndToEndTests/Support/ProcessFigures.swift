import Foundation
import Glibc

/// What Linux tells of a process in /proc.
struct ProcessFigures: Sendable {
    let residentMiB: Double
    /// The highest so far.
    let peakResidentMiB: Double
    let cpuSeconds: Double
    let openFiles: Int

    init(_ process: pid_t) throws {
        func contents(_ name: String) throws -> String {
            try String(contentsOfFile: "/proc/\(process)/\(name)", encoding: .utf8)
        }
        let status = try contents("status").split(separator: "\n")
        func mebibytes(_ field: String) -> Double {
            let line = status.first { $0.hasPrefix(field + ":") }
            return (line?.split(separator: "\t").last?.split(separator: " ").first).flatMap { Double($0) }.map {
                $0 / 1024
            } ?? 0
        }
        residentMiB = mebibytes("VmRSS")
        peakResidentMiB = mebibytes("VmHWM")
        let fields = try contents("stat").split(separator: ")").last?.split(separator: " ") ?? []
        cpuSeconds = ((Double(fields[11]) ?? 0) + (Double(fields[12]) ?? 0)) / Double(sysconf(Int32(_SC_CLK_TCK)))
        openFiles = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").count
    }
}
