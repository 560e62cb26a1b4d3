// librdkafka's in-process cluster as a process of its own, so that its work is not counted as the bridge's.
// Arguments: the number of brokers, and names of topics that are to have one partition instead of the usual four. Prints the
// bootstrap servers and runs until its standard input ends, from which it takes `down` and `up` for its brokers.
import Foundation
import KafkaClient

let cluster = try MockCluster(brokers: CommandLine.arguments.count > 1 ? Int(CommandLine.arguments[1]) ?? 1 : 1)
for topic in CommandLine.arguments.dropFirst(2) { try cluster.createTopic(topic) }
FileHandle.standardOutput.write(Data((cluster.bootstrapServers + "\n").utf8))
while let line = readLine() {
    switch line {
    case "down": try cluster.setBroker(up: false)
    case "up": try cluster.setBroker(up: true)
    default: break
    }
}
cluster.close()
