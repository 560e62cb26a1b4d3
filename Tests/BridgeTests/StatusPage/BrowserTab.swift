import Foundation
import Glibc
import Locks
import Synchronization
import Testing

@testable import Bridge

/// A tab of a real browser, driven by the DevTools protocol over two pipes (`--remote-debugging-pipe`: JSON, each message
/// ended by a zero byte).
final class BrowserTab: Sendable {
    private struct State {
        var nextID = 1
        /// Replies that nobody has taken yet, by the id of the request.
        var replies: [Int: Data] = [:]
        var complaints: [String] = []
        var requested: [String] = []
    }

    private struct Message: Decodable {
        struct Parameters: Decodable {
            struct Entry: Decodable { var level: String, text: String, url: String? }
            struct Request: Decodable { var url: String }
            struct Details: Decodable { var text: String }
            struct Argument: Decodable { var description: String? }

            /// Of `Log.entryAdded`.
            var entry: Entry?
            /// Of `Network.requestWillBeSent`.
            var request: Request?
            /// Of `Runtime.exceptionThrown`.
            var exceptionDetails: Details?
            /// Of `Runtime.consoleAPICalled`.
            var type: String?
            var args: [Argument]?
        }

        var id: Int?
        var method: String?
        var params: Parameters?
    }

    private let state = Guarded(State())
    private let session = Guarded("")
    private let output: CInt

    private init(output: CInt) { self.output = output }

    /// Errors and warnings of the console, violated policies and exceptions among them.
    var complaints: [String] { state.withLock { $0.complaints } }

    /// Addresses of everything that was asked for.
    var requested: [String] { state.withLock { $0.requested } }

    /// Opens one while `body` runs.
    static func with<Value>(_ body: (BrowserTab) async throws -> Value) async throws -> Value {
        let directory = try TemporaryDirectory()
        let (commands, replies) = (try pipe(), try pipe())
        let process = try Chromium.start(
            try Chromium.arguments(directory) + ["--remote-debugging-pipe", "about:blank"],
            passing: [commands.read, replies.write]
        )
        close(commands.read)
        close(replies.write)
        let tab = BrowserTab(output: commands.write)
        // Ends when the browser does.
        Thread.detachNewThread { tab.read(replies.read) }
        do {
            try await tab.attach()
            let value = try await body(tab)
            try await Chromium.end(process)
            close(commands.write)
            return value
        } catch {
            try await Chromium.end(process)
            close(commands.write)
            throw error
        }
    }

    private static func pipe() throws -> (read: CInt, write: CInt) {
        var ends: [CInt] = [0, 0]
        try #require(Glibc.pipe(&ends) == 0)
        // Out of the way of the numbers that they get in the browser.
        let high = ends.map { fcntl($0, F_DUPFD_CLOEXEC, 16) }
        ends.forEach { close($0) }
        return (high[0], high[1])
    }

    private func attach() async throws {
        struct Targets: Decodable {
            struct Target: Decodable { var targetId: String, type: String }
            var targetInfos: [Target]
        }
        struct Attached: Decodable { var sessionId: String }
        var found: String?
        try await wait(for: "a tab", within: .seconds(60)) {
            let targets: Targets = try await call("Target.getTargets", within: .seconds(60))
            found = targets.targetInfos.first { $0.type == "page" }?.targetId
            return found != nil
        }
        let attached: Attached = try await call(
            "Target.attachToTarget",
            ["targetId": try #require(found), "flatten": true]
        )
        session.withLock { $0 = attached.sessionId }
        for domain in ["Page", "Runtime", "Log", "Network"] { try await order("\(domain).enable") }
    }

    // MARK: What it does

    /// From the next page on, whatever waits for a time waits for a twentieth of it.
    func hurry() async throws {
        let source = "{ const wait = setTimeout; window.setTimeout = (work, time) => wait(work, time / 20); }"
        try await order("Page.addScriptToEvaluateOnNewDocument", ["source": source])
    }

    func open(_ address: String) async throws {
        try await order("Page.navigate", ["url": address])
        try await waitUntil("location.href.startsWith('\(address)') && document.readyState === 'complete'")
    }

    /// - Parameter expression: JavaScript; may be a promise.
    func value<Value: Decodable>(of expression: String) async throws -> Value {
        let evaluated: Evaluated<Value> = try await call(
            "Runtime.evaluate",
            ["expression": expression, "returnByValue": true, "awaitPromise": true]
        )
        guard let value = evaluated.result.value else { throw BrowserFailure(what: expression, words: "no value") }
        return value
    }

    /// What a person can read.
    var text: String {
        get async throws { try await value(of: "document.body.innerText") }
    }

    func waitUntil(_ expression: String, _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await wait(
            for: "\(expression); \(complaints)",
            within: .seconds(30),
            sourceLocation: sourceLocation
        ) {
            // While a page is being loaded there may be none to ask.
            (try? await value(of: "Boolean(\(expression))")) ?? false
        }
    }

    func waitForText(_ words: String, _ sourceLocation: SourceLocation = #_sourceLocation) async throws {
        try await waitUntil("document.body.innerText.includes(\"\(words)\")", sourceLocation)
    }

    func type(_ text: String) async throws { try await order("Input.insertText", ["text": text]) }

    func pressEnter() async throws {
        for type in ["keyDown", "keyUp"] {
            try await order(
                "Input.dispatchKeyEvent",
                ["type": type, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13]
            )
        }
    }

    func show(width: Int, height: Int, dark: Bool = false, isPhone: Bool = false) async throws {
        try await order(
            "Emulation.setDeviceMetricsOverride",
            ["width": width, "height": height, "deviceScaleFactor": isPhone ? 2 : 1, "mobile": isPhone]
        )
        try await order(
            "Emulation.setEmulatedMedia",
            ["features": [["name": "prefers-color-scheme", "value": dark ? "dark" : "light"]]]
        )
    }

    /// PNG.
    func picture() async throws -> Data {
        struct Picture: Decodable { var data: Data }
        let picture: Picture = try await call("Page.captureScreenshot", ["format": "png"])
        return picture.data
    }

    // MARK: The protocol

    private func order(_ method: String, _ parameters: [String: Any] = [:]) async throws {
        struct Anything: Decodable {}
        let _: Anything = try await call(method, parameters)
    }

    private func call<Result: Decodable>(
        _ method: String,
        _ parameters: [String: Any] = [:],
        within limit: Duration = .seconds(30)
    ) async throws -> Result {
        let id = state.withLock { state in
            defer { state.nextID += 1 }
            return state.nextID
        }
        var message: [String: Any] = ["id": id, "method": method, "params": parameters]
        let session = session.withLock { $0 }
        if !session.isEmpty { message["sessionId"] = session }
        var bytes = try JSONSerialization.data(withJSONObject: message) + [0]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(output, $0.baseAddress, $0.count) }
            try #require(count > 0, "the browser takes no more commands")
            bytes = bytes.dropFirst(count)
        }
        var data: Data?
        try await wait(for: "a reply to \(method)", within: limit) {
            data = state.withLock { $0.replies.removeValue(forKey: id) }
            return data != nil
        }
        let reply = try JSONDecoder().decode(ProtocolReply<Result>.self, from: try #require(data))
        guard let result = reply.result else {
            throw BrowserFailure(what: method, words: reply.error?.message ?? "no result")
        }
        return result
    }

    private func read(_ input: CInt) {
        defer { close(input) }
        var pending = Data()
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(input, &chunk, chunk.count)
            guard count > 0 else { return }
            pending.append(contentsOf: chunk[..<count])
            while let end = pending.firstIndex(of: 0) {
                take(Data(pending[..<end]))
                pending = Data(pending[(end + 1)...])
            }
        }
    }

    private func take(_ data: Data) {
        guard let message = try? JSONDecoder().decode(Message.self, from: data) else { return }
        state.withLock { state in
            if let id = message.id { state.replies[id] = data }
            switch message.method {
            case "Log.entryAdded":
                guard let entry = message.params?.entry, ["warning", "error"].contains(entry.level) else { return }
                state.complaints.append("\(entry.text) \(entry.url ?? "")")
            case "Runtime.exceptionThrown":
                state.complaints.append(message.params?.exceptionDetails?.text ?? "exception")
            case "Runtime.consoleAPICalled":
                let words = message.params?.args?.compactMap(\.description).joined(separator: " ") ?? ""
                state.complaints.append("console.\(message.params?.type ?? "") \(words)")
            case "Network.requestWillBeSent":
                if let url = message.params?.request?.url { state.requested.append(url) }
            default: break
            }
        }
    }
}

struct BrowserFailure: Error {
    let what: String
    let words: String
}

private struct ProtocolReply<Result: Decodable>: Decodable {
    struct Fault: Decodable { var message: String }
    var result: Result?
    var error: Fault?
}

/// Of `Runtime.evaluate`.
private struct Evaluated<Value: Decodable>: Decodable {
    struct Result: Decodable { var value: Value? }
    var result: Result
}
