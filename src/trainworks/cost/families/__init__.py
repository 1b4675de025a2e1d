"""Which family reads the meters of which resource type. A type that is neither here nor in `free` is unknown."""

from __future__ import annotations

from trainworks.cost.families import compute, containers, messaging, monitoring, network, storage, web
from trainworks.cost.metering import Family

FAMILIES: dict[str, Family] = {
    "AWS::ApiGateway::RestApi": web.api,
    "AWS::ApiGateway::Stage": web.stage,
    "AWS::ApiGatewayV2::Api": web.api,
    "AWS::Batch::ComputeEnvironment": compute.compute_environment,
    "AWS::Budgets::BudgetsAction": monitoring.budget_action,
    "AWS::CloudWatch::Alarm": monitoring.alarm,
    "AWS::CloudWatch::CompositeAlarm": monitoring.composite_alarm,
    "AWS::CloudWatch::Dashboard": monitoring.dashboard,
    "AWS::DynamoDB::Table": storage.table,
    "AWS::EC2::EIP": network.elastic_ip,
    "AWS::EC2::FlowLog": network.flow_log,
    "AWS::EC2::Instance": compute.instance,
    "AWS::EC2::NatGateway": network.nat_gateway,
    "AWS::EC2::VPCEndpoint": network.vpc_endpoint,
    "AWS::EC2::Volume": storage.volume,
    "AWS::ECR::Repository": storage.repository,
    "AWS::ECS::Service": containers.service,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": network.load_balancer,
    "AWS::Events::EventBus": messaging.event_bus,
    "AWS::KMS::Key": storage.kms_key,
    "AWS::KMS::ReplicaKey": storage.kms_key,
    "AWS::Lambda::Alias": messaging.function_version,
    "AWS::Lambda::Function": messaging.function,
    "AWS::Lambda::Version": messaging.function_version,
    "AWS::Logs::LogGroup": monitoring.log_group,
    "AWS::Logs::MetricFilter": monitoring.metric_filter,
    "AWS::S3::Bucket": storage.bucket,
    "AWS::SNS::Topic": messaging.topic,
    "AWS::SQS::Queue": messaging.queue,
    "AWS::SageMaker::Endpoint": compute.endpoint,
    "AWS::SageMaker::NotebookInstance": compute.notebook,
    "AWS::Scheduler::Schedule": messaging.schedule,
    "AWS::SecretsManager::Secret": storage.secret,
    "AWS::StepFunctions::StateMachine": messaging.state_machine,
}
