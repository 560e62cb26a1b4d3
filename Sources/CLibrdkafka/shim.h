// librdkafka and its in-process cluster, and what Swift cannot say about them by itself.

#ifndef CLIBRDKAFKA_SHIM_H
#define CLIBRDKAFKA_SHIM_H

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

/// Enqueues one message for the topic's partitioner to place. Key and headers are librdkafka's afterwards, the value
/// stays the caller's: it is neither copied nor freed, and must live until the delivery report.
///
/// Returns NULL when the message is queued. Otherwise the error object, which the caller destroys; nothing is kept then.
/// `headers` (may be NULL) belongs to librdkafka from here on, whatever is returned.
///
/// Headers go in as one list, never as RD_KAFKA_VTYPE_HEADER: before 2.12.0 rd_kafka_produceva frees such headers twice
/// when the topic is known not to exist (librdkafka pull request 4628). A list of the application's own stays with the
/// application on failure, so it is destroyed here.
///
/// No partition is ever given: an array entry of type RD_KAFKA_VTYPE_PARTITION is the other way into that fault.
static inline rd_kafka_error_t *kafka_shim_produce(rd_kafka_t *client,
                                                   rd_kafka_topic_t *topic,
                                                   const void *key,
                                                   size_t key_size,
                                                   const void *value,
                                                   size_t value_size,
                                                   rd_kafka_headers_t *headers,
                                                   void *opaque) {
    rd_kafka_vu_t fields[5];
    size_t count = 0;

    fields[count].vtype = RD_KAFKA_VTYPE_RKT;
    fields[count++].u.rkt = topic;
    fields[count].vtype = RD_KAFKA_VTYPE_VALUE;
    fields[count].u.mem.ptr = (void *)value;
    fields[count++].u.mem.size = value_size;
    fields[count].vtype = RD_KAFKA_VTYPE_KEY;
    fields[count].u.mem.ptr = (void *)key;
    fields[count++].u.mem.size = key_size;
    fields[count].vtype = RD_KAFKA_VTYPE_OPAQUE;
    fields[count++].u.ptr = opaque;
    if (headers) {
        fields[count].vtype = RD_KAFKA_VTYPE_HEADERS;
        fields[count++].u.headers = headers;
    }

    rd_kafka_error_t *error = rd_kafka_produceva(client, fields, count);
    if (error && headers)
        rd_kafka_headers_destroy(headers);
    return error;
}

/// The partition that murmur2 and the modulo of the Java clients give. Swift cannot call the function with the null
/// handles that it takes and ignores without naming their types.
static inline int32_t kafka_shim_murmur2_partition(const void *key, size_t key_size, int32_t partitions) {
    return rd_kafka_msg_partitioner_murmur2(NULL, key, key_size, partitions, NULL, NULL);
}

/// The next request of this kind to one broker of the in-process cluster fails. The function of librdkafka takes any number of
/// errors, which Swift cannot call.
static inline rd_kafka_resp_err_t kafka_shim_mock_broker_push_request_error(rd_kafka_mock_cluster_t *cluster,
                                                                            int32_t broker,
                                                                            int16_t api_key,
                                                                            rd_kafka_resp_err_t error) {
    return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, api_key, 1, error, 0);
}

#endif
