//! Statistics may skip row groups and never an answer.

use arrow::array::{Float64Array, Int32Array, Int64Array, StringArray};
use datafusion::common::stats::Precision;
use datafusion::datasource::source::DataSourceExec;
use datafusion::logical_expr::{LogicalPlanBuilder, TableProviderFilterPushDown as Pushdown};
use datafusion::parquet::file::metadata::{ParquetMetaDataReader, ParquetMetaDataWriter};
use datafusion::parquet::file::statistics::Statistics;
use datafusion::physical_plan::metrics::MetricValue;
use datafusion::prelude::{col, lit};

use super::*;

fn provider_as_source(table: &RawTable) -> Arc<dyn datafusion::logical_expr::TableSource> {
    datafusion::datasource::provider_as_source(Arc::clone(&table.provider))
}

/// Runs a whole plan over the table, all optimizers included.
async fn run(
    table: &RawTable,
    build: impl FnOnce(LogicalPlanBuilder) -> LogicalPlanBuilder,
) -> Vec<RecordBatch> {
    let state = state();
    let scan = LogicalPlanBuilder::scan("t", provider_as_source(table), None).unwrap();
    let plan = state.optimize(&build(scan).build().unwrap()).unwrap();
    let plan = state.query_planner().create_physical_plan(&plan, &state).await.unwrap();
    collect(plan, state.task_ctx()).await.unwrap()
}

fn pruned_row_groups(plan: &Arc<dyn ExecutionPlan>) -> usize {
    let metrics = plan.metrics().unwrap();
    let pruned = metrics.iter().filter_map(|metric| match metric.value() {
        MetricValue::PruningMetrics { name, pruning_metrics }
            if name.contains("row_groups_pruned_statistics") =>
        {
            Some(pruning_metrics.pruned())
        }
        _ => None,
    });
    pruned.sum()
}

#[tokio::test]
async fn row_groups_without_a_match_are_not_read() {
    let fixture = Fixture::new();
    let ids: ArrayRef = Arc::new(Int32Array::from((0..100).collect::<Vec<i32>>()));
    fixture.write_groups("t.parquet", vec![("ID", ids)], Some(10));
    // Renamed and widened, so the predicate has to be translated both ways.
    let table = fixture.parquet("t.parquet", &["name: id, physicalName: ID, logicalType: integer"]).await;
    let filter = col("id").gt_eq(lit(95_i64));
    let plan = plan(&table, None, std::slice::from_ref(&filter), None).await.unwrap();
    let batches = collect(Arc::clone(&plan), state().task_ctx()).await.unwrap();
    // Inexact: the row group's other rows come too.
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 10);
    assert_eq!(pruned_row_groups(&plan), 9);
    assert_eq!(table.provider.supports_filters_pushdown(&[&filter]).unwrap(), [Pushdown::Inexact]);
    assert_eq!(
        rows_of(&run(&table, |scan| scan.filter(filter).unwrap()).await),
        ["95", "96", "97", "98", "99"]
    );
}

fn bytes_read(plan: &Arc<dyn ExecutionPlan>) -> usize {
    plan.metrics().unwrap().sum_by_name("bytes_read").unwrap().as_usize()
}

#[tokio::test]
async fn a_selective_predicate_on_a_sorted_column_reads_a_fraction_of_the_file() {
    let fixture = Fixture::new();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100_000));
    let texts: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..100_000).map(|id| format!("text {id}"))));
    fixture.write_groups("t.parquet", vec![("id", ids), ("text", texts)], Some(1000));
    let size = usize::try_from(fs::metadata(fixture.path("t.parquet")).unwrap().len()).unwrap();
    let table = fixture
        .parquet("t.parquet", &["name: id, logicalType: integer", "name: text, logicalType: string"])
        .await;
    let all = plan(&table, None, &[], None).await.unwrap();
    let rows = collect(Arc::clone(&all), state().task_ctx()).await.unwrap();
    assert_eq!(rows.iter().map(RecordBatch::num_rows).sum::<usize>(), 100_000);
    assert!(bytes_read(&all) > size / 2, "{} of {size}", bytes_read(&all));
    let one = plan(&table, None, &[col("id").eq(lit(77_777_i64))], None).await.unwrap();
    let rows = rows_of(&collect(Arc::clone(&one), state().task_ctx()).await.unwrap());
    assert!(rows.contains(&"77777|text 77777".to_owned()));
    assert!(bytes_read(&one) < size / 50, "{} of {size}", bytes_read(&one));
}

#[tokio::test]
async fn a_limit_does_not_count_rows_that_a_filter_drops() {
    let fixture = Fixture::new();
    fixture
        .write_parquet("t.parquet", vec![("id", Arc::new(Int64Array::from((0..100).collect::<Vec<i64>>())))]);
    let table = fixture.parquet("t.parquet", &["name: id, logicalType: integer"]).await;
    let filter = col("id").eq(lit(99_i64));
    let plan = plan(&table, None, std::slice::from_ref(&filter), Some(1)).await.unwrap();
    let rows = rows_of(&collect(plan, state().task_ctx()).await.unwrap());
    assert!(rows.contains(&"99".to_owned()));
    let limited = super::plan(&table, None, &[], Some(3)).await.unwrap();
    assert_eq!(rows_of(&collect(limited, state().task_ctx()).await.unwrap()).len(), 3);
    assert_eq!(
        rows_of(&run(&table, |scan| scan.filter(filter).unwrap().limit(0, Some(1)).unwrap()).await),
        ["99"]
    );
}

#[tokio::test]
async fn nan_is_not_lost_to_statistics_that_leave_it_out() {
    let fixture = Fixture::new();
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.0, f64::NAN, 3.0, 10.0, 11.0]));
    fixture.write_groups("t.parquet", vec![("x", values)], Some(2));
    let table = fixture.parquet("t.parquet", &["name: x, logicalType: number"]).await;
    let filter = col("x").gt(lit(9.0));
    assert_eq!(table.provider.supports_filters_pushdown(&[&filter]).unwrap(), [Pushdown::Unsupported]);
    // As a direct filter, as one that the optimizer pushes, and as one that grows while the query runs.
    assert!(
        rows_of(&batches(&table, None, std::slice::from_ref(&filter)).await.unwrap())
            .contains(&"NaN".to_owned())
    );
    assert_eq!(rows_of(&run(&table, |scan| scan.filter(filter).unwrap()).await), ["10.0", "11.0", "NaN"]);
    let top = run(&table, |scan| scan.sort_with_limit([col("x").sort(false, false)], Some(2)).unwrap()).await;
    assert_eq!(rows_of(&top), ["11.0", "NaN"]);
}

#[tokio::test]
async fn top_rows_are_right_over_many_row_groups() {
    let fixture = Fixture::new();
    let shuffled: Vec<i64> = (0..1000).map(|number| (number * 617) % 1000).collect();
    let texts: Vec<String> = shuffled.iter().map(|number| format!("{number:04}")).collect();
    fixture.write_groups(
        "t/a.parquet",
        vec![("n", Arc::new(Int64Array::from(shuffled))), ("s", Arc::new(StringArray::from(texts)))],
        Some(50),
    );
    fixture.write_parquet(
        "t/b.parquet",
        vec![
            ("n", Arc::new(Int64Array::from(vec![None, Some(5000)]))),
            ("s", Arc::new(StringArray::from(vec![None, Some("zz")]))),
        ],
    );
    let table =
        fixture.parquet("t", &["name: n, logicalType: integer", "name: s, logicalType: string"]).await;
    let top = run(&table, |scan| scan.sort_with_limit([col("n").sort(false, false)], Some(3)).unwrap()).await;
    assert_eq!(rows_of(&top), ["5000|zz", "998|0998", "999|0999"]);
    let nulls = run(&table, |scan| scan.filter(col("s").is_null()).unwrap()).await;
    assert_eq!(rows_of(&nulls), ["NULL|NULL"]);
    let joined = run(&table, |scan| {
        let right = LogicalPlanBuilder::values(vec![vec![lit(7_i64)], vec![lit(5000_i64)]]).unwrap();
        let right = right.alias("r").unwrap().build().unwrap();
        scan.join(right, datafusion::common::JoinType::Inner, (vec!["n"], vec!["column1"]), None).unwrap()
    })
    .await;
    assert_eq!(rows_of(&joined), ["5000|zz|5000", "7|0007|7"]);
}

#[tokio::test]
async fn predicates_on_partitions_skip_files_and_no_rows() {
    let fixture = Fixture::new();
    for (region, id) in [("DE", 1_i64), ("FR", 2)] {
        fixture.write_parquet(
            &format!("t/region={region}/a.parquet"),
            vec![("id", Arc::new(Int64Array::from(vec![id])))],
        );
    }
    let table = fixture
        .parquet(
            "t",
            &[
                "name: place, physicalName: region, logicalType: string, partitioned: true",
                "name: id, logicalType: integer",
            ],
        )
        .await;
    let filter = col("place").eq(lit("FR"));
    assert_eq!(rows_of(&run(&table, |scan| scan.filter(filter.clone()).unwrap()).await), ["FR|2"]);
    let some = batches(&table, None, std::slice::from_ref(&filter)).await.unwrap();
    assert!(rows_of(&some).contains(&"FR|2".to_owned()));
}

#[tokio::test]
async fn statistics_do_not_leave_the_scan() {
    let fixture = Fixture::new();
    fixture.write_parquet("t.parquet", vec![("id", Arc::new(Int64Array::from(vec![1, 2, 3])))]);
    let table = fixture.parquet("t.parquet", &["name: id, logicalType: integer"]).await;
    assert!(table.provider.statistics().is_none());
    let plan = plan(&table, None, &[col("id").eq(lit(1_i64))], None).await.unwrap();
    let source = plan.downcast_ref::<DataSourceExec>().unwrap().data_source();
    assert_eq!(source.partition_statistics(None).unwrap().num_rows, Precision::Absent);
    assert_eq!(source.partition_statistics(Some(0)).unwrap().num_rows, Precision::Absent);
    assert!(plan.output_ordering().is_none());
    // A predicate that only prunes says nothing about the rows that come out.
    assert!(plan.equivalence_properties().constants().is_empty());
    let shown = datafusion::physical_plan::displayable(plan.as_ref()).indent(true).to_string();
    assert!(!shown.contains(fixture.dir.path().to_str().unwrap()), "{shown}");
}

/// The same file with statistics that do not count NULLs, as some writers leave them.
fn without_null_counts(file: &[u8]) -> Vec<u8> {
    let metadata =
        ParquetMetaDataReader::new().parse_and_finish(&bytes::Bytes::copy_from_slice(file)).unwrap();
    let mut builder = metadata.into_builder();
    let groups = builder.take_row_groups().into_iter().map(|group| {
        let mut group = group.into_builder();
        let columns = group.take_columns().into_iter().map(|column| {
            let statistics = match column.statistics().unwrap() {
                Statistics::Int64(known) => {
                    Statistics::int64(known.min_opt().copied(), known.max_opt().copied(), None, None, false)
                }
                other => panic!("{other}"),
            };
            let column = column.into_builder().set_statistics(statistics);
            column.set_column_index_offset(None).set_column_index_length(None).build().unwrap()
        });
        let columns = columns.collect();
        group.set_column_metadata(columns).build().unwrap()
    });
    let groups = groups.collect();
    let metadata = builder.set_row_groups(groups).build();
    let footer = u32::from_le_bytes(file[file.len() - 8..file.len() - 4].try_into().unwrap()) as usize;
    let mut changed = file[..file.len() - 8 - footer].to_vec();
    let mut end = Vec::new();
    ParquetMetaDataWriter::new(&mut end, &metadata).finish().unwrap();
    changed.extend(end);
    changed
}

#[tokio::test]
async fn nulls_that_statistics_do_not_count_are_not_lost() {
    let fixture = Fixture::new();
    let values: ArrayRef = Arc::new(Int64Array::from(vec![Some(1), None, Some(3), Some(4)]));
    fixture.write_groups("t.parquet", vec![("x", values)], Some(2));
    let file = fs::read(fixture.path("t.parquet")).unwrap();
    let columns = ["name: x, logicalType: integer"];
    let counted = fixture.parquet("t.parquet", &columns).await;
    let filter = col("x").is_null();
    assert_eq!(counted.provider.supports_filters_pushdown(&[&filter]).unwrap(), [Pushdown::Inexact]);
    assert_eq!(rows_of(&run(&counted, |scan| scan.filter(filter.clone()).unwrap()).await), ["NULL"]);

    fixture.write("t.parquet", without_null_counts(&file));
    let uncounted = fixture.parquet("t.parquet", &columns).await;
    assert_eq!(uncounted.provider.supports_filters_pushdown(&[&filter]).unwrap(), [Pushdown::Unsupported]);
    assert_eq!(rows_of(&run(&uncounted, |scan| scan.filter(filter.clone()).unwrap()).await), ["NULL"]);
    assert!(rows_of(&batches(&uncounted, None, &[filter]).await.unwrap()).contains(&"NULL".to_owned()));
}
