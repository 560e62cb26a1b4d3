/// Finds the keys that nobody asked for and what may have been meant.
enum UnknownKeys {
    private static let maxListed = 12

    /// - Parameter records: where a key may belong instead.
    static func faults(
        of record: MappingRecord,
        among records: [MappingRecord]
    ) -> [(place: Place, fault: ConfigurationFault)] {
        record.present.filter { !record.known.contains($0.key) }.map { key, place in
            let problem =
                if let meant = suggestion(for: key, in: record, among: records) {
                    "unknown key; did you mean \(meant)?"
                } else if record.known.isEmpty {
                    "unknown key; remove it"
                } else {
                    "unknown key; remove it, or use one of \(list(record.known))"
                }
            return (place, ConfigurationFault(key: record.path(of: Quoting.name(key)), problem: problem))
        }
    }

    private static func list(_ keys: Set<String>) -> String {
        let sorted = keys.sorted()
        return sorted.prefix(maxListed).joined(separator: ", ") + (sorted.count > maxListed ? ", …" : "")
    }

    private static func suggestion(
        for key: String,
        in record: MappingRecord,
        among records: [MappingRecord]
    ) -> String? {
        if let near = closest(to: key, in: record.known) { return record.path(of: near) }
        // The right key in the wrong mapping.
        let wanted = key.lowercased()
        for other in records where other !== record {
            if let same = other.known.sorted().first(where: { $0.lowercased() == wanted }) {
                return other.path(of: same)
            }
        }
        return begun(by: key, in: record.known).map(record.path(of:))
    }

    /// The candidate that is few changes away, else one of which the word is a beginning, or the other way round.
    static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        closest(to: word, in: candidates) ?? begun(by: word, in: candidates)
    }

    private static func closest(to word: String, in candidates: some Sequence<String>) -> String? {
        let wanted = word.lowercased()
        // A third of the word may be wrong, but not all of a short one.
        let tolerance = max(1, min(3, wanted.count / 3))
        return candidates.sorted()
            .map { (candidate: $0, distance: distance(wanted, $0.lowercased())) }
            .filter { $0.distance <= tolerance && $0.distance < wanted.count }
            .min { $0.distance < $1.distance }?
            .candidate
    }

    private static func begun(by word: String, in candidates: some Sequence<String>) -> String? {
        let wanted = word.lowercased()
        guard wanted.count >= 4 else { return nil }
        return candidates.sorted().first { candidate in
            let candidate = candidate.lowercased()
            return candidate.hasPrefix(wanted) || (candidate.count >= 4 && wanted.hasPrefix(candidate))
        }
    }

    /// How many insertions, removals, replacements and swaps of neighbours make one word the other.
    private static func distance(_ one: String, _ other: String) -> Int {
        let (one, other) = (Array(one.utf8.prefix(64)), Array(other.utf8.prefix(64)))
        guard !one.isEmpty, !other.isEmpty else { return max(one.count, other.count) }
        var beforeLast: [Int] = []
        var last = Array(0...other.count)
        for i in 1...one.count {
            var current = [i]
            for j in 1...other.count {
                let replaced = last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1)
                var best = min(replaced, last[j] + 1, current[j - 1] + 1)
                if i > 1, j > 1, one[i - 1] == other[j - 2], one[i - 2] == other[j - 1] {
                    best = min(best, beforeLast[j - 2] + 1)
                }
                current.append(best)
            }
            beforeLast = last
            last = current
        }
        return last[other.count]
    }
}
