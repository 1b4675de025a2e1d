"""SQS: a queue's messages as rows, and what a queue is asked at a cost that its length has no part in."""
