import Foundation
import Testing

@testable import Bridge

/// `/status` is for people's scripts: what it has is what the README says.
@Suite struct StatusDocumentationTests {
    @Test func `the README names every field of the status, and no other`() throws {
        let documented = try Self.documented("`/status`")
        #expect(try Self.fields(of: StatusReport.troubled) == documented)
        #expect(Set(documented).count == documented.count)
    }

    @Test func `the README names every field of the portals, and no other`() throws {
        let portal = PortalStatus.samples(2)[0]
        try Self.expectComplete(portal)
        let fields = try Self.fields(of: PortalPage(found: 1, portals: [portal]))
        #expect(try fields == Self.documented("`/status/portals`"))
    }

    @Test func `the sample has every field that there can be`() throws {
        try Self.expectComplete(StatusReport.troubled)
    }

    /// Names as `kafka.brokers[].state`, sorted. Of `registry.states` the keys are data.
    private static func fields(of value: some Encodable) throws -> [String] {
        var names: Set<String> = []
        func gather(_ json: Any, _ name: String) {
            switch json {
            case let fields as [String: Any] where name != "registry.states":
                for (key, value) in fields {
                    let path = name.isEmpty ? key : "\(name).\(key)"
                    // What has fields of its own is named by them.
                    if !(value is [String: Any]) || path == "registry.states" {
                        names.insert(path + (value is [Any] ? "[]" : ""))
                    }
                    gather(value, path)
                }
            case let list as [Any]:
                for element in list where element is [String: Any] {
                    names.remove(name + "[]")
                    gather(element, name + "[]")
                }
            default: break
            }
        }
        gather(try JSONSerialization.jsonObject(with: JSONEncoder().encode(value)), "")
        return names.sorted()
    }

    /// Of the first column of the tables below a heading.
    private static func documented(_ heading: String) throws -> [String] {
        let file = URL(filePath: #filePath).appending(path: "../../../../README.md").standardized
        let lines = try String(contentsOf: file, encoding: .utf8).components(separatedBy: "\n")
        let start = try #require(lines.firstIndex(of: "#### \(heading)"), "README has no heading #### \(heading)")
        return lines[(start + 1)...].prefix { !$0.hasPrefix("#") }.flatMap { line -> [String] in
            guard line.hasPrefix("| `"), let cell = line.split(separator: "|").first else { return [] }
            return cell.matches(of: /`([^`]+)`/).map { String($0.output.1) }
        }.sorted()
    }

    /// No optional that is not set, no list that is empty.
    private static func expectComplete(_ value: Any, _ name: String = "") throws {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional:
            let wrapped = mirror.children.first
            #expect(wrapped != nil, "\(name) is not set in the sample")
            if let wrapped { try expectComplete(wrapped.value, name) }
        case .collection:
            #expect(!mirror.children.isEmpty, "\(name) is empty in the sample")
            // Its elements differ: some field may be absent in one of them.
            if let first = mirror.children.first { try expectComplete(first.value, name + "[]") }
        case .dictionary: break
        default:
            for child in mirror.children { try expectComplete(child.value, "\(name).\(child.label ?? "")") }
        }
    }
}
