/// Which portal's turn it is: the longest due first, each by itself, no more than `width` at a time.
struct Agenda {
    private let width: Int
    private var due: [String: Int64] = [:]
    private var busy: Set<String> = []
    private var attempts: [String: PortalAttempts] = [:]
    /// Nothing is due before this, so that nobody need look.
    private var quietUntil = Int64.min

    init(width: Int) { self.width = width }

    /// - Parameter at: Milliseconds since 1970; `nil` when nothing is to be done.
    mutating func schedule(_ memberID: String, at: Int64?) {
        due[memberID] = at
        if let at { quietUntil = min(quietUntil, at) }
    }

    func attempts(at memberID: String) -> PortalAttempts { attempts[memberID] ?? PortalAttempts() }

    /// Portals that are due, which are busy from now on.
    mutating func take(_ now: Int64) -> [String] {
        guard now >= quietUntil, busy.count < width else { return [] }
        let ready = due.filter { $0.value <= now && !busy.contains($0.key) }
        let chosen = ready.sorted { ($0.value, $0.key) < ($1.value, $1.key) }.prefix(width - busy.count).map(\.key)
        busy.formUnion(chosen)
        if chosen.count == ready.count { quietUntil = due.filter { !busy.contains($0.key) }.values.min() ?? .max }
        return chosen
    }

    mutating func finished(_ memberID: String, _ attempts: PortalAttempts) {
        busy.remove(memberID)
        self.attempts[memberID] = attempts == PortalAttempts() ? nil : attempts
        quietUntil = .min
    }

    mutating func forget(_ memberID: String) {
        due[memberID] = nil
        attempts[memberID] = nil
    }
}
