import Bridge

/// A progress bar over bytes read, with the rate behind it.
struct ReadingBar {
    private var bar: ProgressBar
    private let total: Int
    private let started = ContinuousClock.now

    init(_ title: String, bytes: Int) {
        bar = ProgressBar(title, total: bytes)
        total = bytes
    }

    mutating func update(_ done: Int) {
        let (total, started) = (total, started)
        bar.update(done, Self.words(done, of: total, since: started))
    }

    mutating func finish() { bar.finish() }

    private static func words(_ done: Int, of total: Int, since started: ContinuousClock.Instant) -> String {
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let rate = seconds > 0 ? Int(Double(done) / seconds) : 0
        return "\(Words.bytes(done)) of \(Words.bytes(total)), \(Words.bytes(rate))/s"
    }
}
