/// Metadata keys of this module's log lines.
enum LoggingKeys {
    static let listener = "listener"
    static let address = "address"
    static let connections = "connections"
    static let errno = "errno"
    static let error = "error"
}
