import AsyncHTTPClient
import Foundation
import NIOCore
import NIOFoundationCompat
import NIOHTTP1
import Testing

@testable import Simulation

/// Calls the stand-in as curl would.
struct PortalClient {
    struct Answer {
        let status: Int
        fileprivate let headers: HTTPHeaders
        let text: String

        /// `nil`: it is no JSON.
        var json: PHPValue? { PHPValue(json: text.utf8) }
        var result: PHPValue? { json?["result"] }
        func header(_ name: String) -> String? { headers.first(name: name) }

        var error: String? { json?["error"]?.text }
    }

    let standIn: StandIn
    let base: String
    /// Never closed: it lives as long as the tests do.
    private static let client = HTTPClient(
        eventLoopGroupProvider: .singleton,
        configuration: .init(redirectConfiguration: .disallow)
    )

    init(_ standIn: StandIn) async throws {
        self.standIn = standIn
        base = try await standIn.address
    }

    func post(_ path: String, _ form: PHPValue = .emptyMap) async throws -> Answer {
        try await send(path, body: form.form, type: "application/x-www-form-urlencoded; charset=UTF-8")
    }

    func post(_ path: String, json: PHPValue) async throws -> Answer {
        try await send(path, body: json.json, type: "application/json")
    }

    func get(_ path: String, bearer: String? = nil) async throws -> Answer {
        var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : base + path)
        if let bearer { request.headers.add(name: "Authorization", value: "Bearer \(bearer)") }
        return try await execute(request)
    }

    /// A portal's method with an access token, at its first address.
    func call(
        _ method: String,
        _ parameters: PHPValue = .emptyMap,
        token: String,
        portal: String? = nil
    ) async throws -> Answer {
        var form = parameters
        form.set("auth", .text(token))
        return try await post("/portal/\(portal ?? standIn.memberIDs[0])/rest/\(method)", form)
    }

    func refresh(
        _ token: String,
        id: String? = nil,
        secret: String? = nil
    ) async throws -> Answer {
        try await post(
            "/oauth/token/",
            [
                "grant_type": "refresh_token", "client_id": .text(id ?? standIn.settings.clientID),
                "client_secret": .text(secret ?? standIn.settings.clientSecret), "refresh_token": .text(token),
            ]
        )
    }

    private func send(_ path: String, body: [UInt8], type: String) async throws -> Answer {
        var request = HTTPClientRequest(url: path.hasPrefix("http") ? path : base + path)
        request.method = .POST
        request.headers.add(name: "Content-Type", value: type)
        request.body = .bytes(ByteBuffer(bytes: body))
        return try await execute(request)
    }

    private func execute(_ request: HTTPClientRequest) async throws -> Answer {
        let response = try await Self.client.execute(request, timeout: .seconds(20))
        let body = try await response.body.collect(upTo: 4 << 20)
        return Answer(
            status: Int(response.status.code),
            headers: response.headers,
            text: String(buffer: body)
        )
    }
}
