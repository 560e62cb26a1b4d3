/// What consumers may rely on, whatever happened between receipt and delivery.
enum DeliveryOrder {
    /// - Parameter kills: how often the process was ended so that it had to send something again.
    /// - Returns: what is not as promised, in words.
    static func faults(in records: [DeliveredRecord], kills: Int) -> [String] {
        sameness(records) + keys(records) + partitions(records, kills)
    }

    /// A repeated record is the same record.
    private static func sameness(_ records: [DeliveredRecord]) -> [String] {
        var faults: [String] = []
        for (number, same) in Dictionary(grouping: records, by: \.number) {
            if Set(same.map(\.id)).count > 1 { faults.append("event \(number) has several ids") }
            if Set(same.map(\.sequence)).count > 1 { faults.append("event \(number) has several sequences") }
        }
        for (id, same) in Dictionary(grouping: records, by: \.id) where Set(same.map(\.number)).count > 1 {
            faults.append("id \(id) stands for several events")
        }
        return faults
    }

    /// Per key, first appearances are in order of receipt, which is also the order in which each client posted.
    private static func keys(_ records: [DeliveredRecord]) -> [String] {
        var faults: [String] = []
        for (key, all) in Dictionary(grouping: records, by: \.key) {
            var seen: Set<String> = []
            let first = all.filter { seen.insert($0.id).inserted }
            if Set(all.map(\.partition)).count > 1 { faults.append("key \(key) is on several partitions") }
            if !isRising(first.map(\.sequence)) { faults.append("key \(key) is out of order") }
            for (client, own) in Dictionary(grouping: first, by: { $0.number.prefix { $0 != "-" } })
            where !isRising(own.compactMap { Int($0.number.drop { $0 != "-" }.dropFirst()) }) {
                faults.append("what client \(client) posted for key \(key) is out of order")
            }
        }
        return faults
    }

    /// Per partition, each run of the process sends a contiguous run: it may begin at what was sent before, and leaves
    /// nothing out.
    private static func partitions(_ records: [DeliveredRecord], _ kills: Int) -> [String] {
        var faults: [String] = []
        for (partition, all) in Dictionary(grouping: records, by: \.partition) {
            var places: [String: Int] = [:]
            var beginnings = 0
            var last = -1
            for record in all {
                let place = places[record.id] ?? places.count
                places[record.id] = place
                if place <= last {
                    beginnings += 1
                } else if place != last + 1 {
                    faults.append("a repetition on partition \(partition) left something out")
                }
                last = place
            }
            if beginnings > kills {
                faults.append("\(beginnings) repetitions on partition \(partition), \(kills) kills")
            }
        }
        return faults
    }

    private static func isRising<T: Comparable>(_ values: [T]) -> Bool {
        zip(values, values.dropFirst()).allSatisfy { $0 < $1 }
    }
}
