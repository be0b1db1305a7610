"""Tables of labels: what is allowed, what is refused, in which words. Rows made up in the shape of the real ones."""

import pytest
from ece_core.errors import InputError
from ece_core.io.datasets import Case, Dataset, PatientLabels, load_lydata, read_patient_table, read_tcga_labels


def written(tmp_path, text, name="table.csv"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def three_cases():
    return Dataset("three", [Case("a", "a"), Case("b", "b", keys=("folder_b", "PID-7")), Case("c", "c", split="test")])


def test_labels_and_split_come_from_the_table_and_unknown_stays_unknown(three_cases, tmp_path):
    rows = read_patient_table(
        written(tmp_path, "case_id,pene,iene_grade,split\na,gross,3,train\nfolder_b,none,0,\nc,,unknown,\n\n")
    )
    a, b, c = three_cases.with_labels(rows)
    assert (a.labels.pene, a.labels.has_pene, a.labels.iene_grade, a.split) == ("gross", True, 3, "train")
    assert (b.labels.pene, b.labels.has_pene, b.labels.iene_grade, b.split) == ("none", False, 0, None)
    assert (c.labels.pene, c.labels.has_pene, c.labels.iene_grade, c.split) == (None, None, None, "test")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheets_csv_of_any_country(three_cases, tmp_path, delimiter):
    text = "\ufeffCase_ID,PENE\r\na,Microscopic\r\n".replace(",", delimiter)
    assert three_cases.with_labels(read_patient_table(written(tmp_path, text)))[0].labels.pene == "microscopic"


def test_a_patient_id_matches_but_is_written_nowhere(three_cases, tmp_path):
    labelled = three_cases.with_labels(read_patient_table(written(tmp_path, "case_id,pene\nPID-7,gross\n")))
    assert labelled[1].labels.pene == "gross"
    assert "PID-7" not in repr(labelled[1]) + str(labelled.describe())
    assert "2 of 3 cases have no label in the table." in str(labelled.describe())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "table is empty", id="empty"),
        pytest.param("case_id,pene\n", "no rows below its header", id="header only"),
        pytest.param("id,pene\na,none\n", "no column case_id.*columns are case_id, pene", id="no case_id"),
        pytest.param("case_id\na\n", "no column of labels", id="no labels"),
        pytest.param("case_id,pENE_status\na,1\n", r"not known here \(column 2\).*Delete", id="another column"),
        pytest.param("case_id,pene,pene\na,none,none\n", "Two columns", id="a column twice"),
        pytest.param("case_id,pene\na,none\na,gross\n", "Rows 2 and 3.*same case", id="a case twice"),
        pytest.param("case_id,pene\n,none\n", "Row 2.*names no case", id="no case"),
        pytest.param("case_id,pene\na,yes\n", "Row 2.*column pene.*not allowed.*none, microscopic", id="a value"),
        pytest.param("case_id,iene_grade\na,4\n", "Row 2.*iene_grade.*0, 1, 2, 3", id="a grade"),
        pytest.param("case_id,split\na,training\n", "Row 2.*split.*train, validation, test", id="a split"),
        pytest.param("case_id,pene\na\n", "Row 2 .*has 1 cells, the header 2", id="a short row"),
    ],
)
def test_what_a_table_may_not_hold(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        read_patient_table(written(tmp_path, text))


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "table.csv").write_bytes(b"case_id,pene\n\xff\xfe,none\n")
    with pytest.raises(InputError, match="cannot be read as text.*UTF-8"):
        read_patient_table(tmp_path / "table.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            "a,none\nDOE_JANE,gross\nx,none\n", r"2 rows.*\(row 3, 4\).*as the data set has them", id="unknown"
        ),
        pytest.param("b,none\nPID-7,gross\n", "Rows 2 and 3.*the same case", id="one case by two names"),
    ],
)
def test_a_table_that_does_not_fit_is_refused_by_row_not_by_name(three_cases, tmp_path, text, words):
    rows = read_patient_table(written(tmp_path, "case_id,pene\n" + text))
    with pytest.raises(InputError, match=words) as raised:
        three_cases.with_labels(rows)
    assert "DOE" not in str(raised.value)


BIOTAB = (  # the shape of nationwidechildrens.org_clinical_patient_hnsc.txt: three header rows, tabs
    "bcr_patient_uuid\tbcr_patient_barcode\tgender\textracapsular_spread_pathologic\n"
    "bcr_patient_uuid\tbcr_patient_barcode\tgender\tpresence_of_pathological_nodal_extracapsular_spread\n"
    "CDE_ID:\tCDE_ID:2003301\tCDE_ID:2200604\tCDE_ID:3124956\n"
    "0-0\tTCGA-ZZ-0001\tMALE\tNo Extranodal Extension\n"
    "0-1\tTCGA-ZZ-0002\tMALE\tMicroscopic Extension\n"
    "0-2\tTCGA-ZZ-0003\tFEMALE\tGross Extension\n"
    "0-3\tTCGA-ZZ-0004\tFEMALE\t[Not Available]\n"
)


def test_gdcs_three_values_and_no_answer(tmp_path):
    rows = read_tcga_labels(written(tmp_path, BIOTAB))
    assert {name: row.labels.pene for name, row in rows.items()} == {
        "TCGA-ZZ-0001": "none", "TCGA-ZZ-0002": "microscopic", "TCGA-ZZ-0003": "gross", "TCGA-ZZ-0004": None,
    }  # fmt: skip
    assert rows["TCGA-ZZ-0001"].line == 4


def test_xenas_samples_become_patients(tmp_path):
    header = "sampleID\tpresence_of_pathological_nodal_extracapsular_spread\n"
    table = header + "TCGA-ZZ-0001-01\tGross Extension\nTCGA-ZZ-0001-11\tGross Extension\n"
    assert list(read_tcga_labels(written(tmp_path, table))) == ["TCGA-ZZ-0001"]


def test_tcga_has_more_patients_than_were_scanned(tmp_path):
    scanned = Dataset("CT", [Case("dicom-1", "patient-0001", keys=("TCGA-ZZ-0002",)), Case("dicom-2", "patient-0002")])
    labelled = scanned.with_labels(read_tcga_labels(written(tmp_path, BIOTAB)), all_rows=False)
    assert [case.labels.pene for case in labelled] == ["microscopic", None]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(("extracapsular_spread", "x"), "no column extracapsular_spread_pathologic", id="another table"),
        pytest.param(("bcr_patient_barcode", "x"), "no column bcr_patient_barcode", id="no barcode"),
        pytest.param(("Gross Extension", "Yes"), "Row 6.*TCGA does not define.*Microscopic", id="a value"),
        pytest.param(("TCGA-ZZ-0002", "TCGA-ZZ-0001"), "Rows 4 and 5.*contradict", id="a contradiction"),
        pytest.param(("TCGA-", "PATIENT-"), "no row of a TCGA patient", id="other patients"),
    ],
)
def test_what_is_no_table_of_tcga(tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        read_tcga_labels(written(tmp_path, BIOTAB.replace(*change)))


LYDATA = (
    "patient,patient,patient,tumor,total_dissected,positive_dissected,positive_dissected,positive_dissected\n"
    "#,#,#,1,info,info,info,ipsi\n"
    "id,n_stage,extracapsular,t_stage,all_lnls,all_lnls,largest_node_mm,II\n"
    "X1,2,True,4,31,3,26.0,3\n"
    "X2,0,False,1,26,0,,0\n"
    "X3,2,,2,,,,\n"
)


def test_lydata_has_labels_and_counts_and_no_images(tmp_path):
    lydata = load_lydata(written(tmp_path, LYDATA))
    assert [case.labels.pene for case in lydata] == ["present", "none", None]
    assert lydata[0].labels == PatientLabels(
        "present",
        None,
        {"positive_lymph_nodes": 3, "largest_lymph_node_mm": 26, "dissected_lymph_nodes": 31, "n_stage": 2},
    )
    assert "no case has images." in str(lydata.describe())
    with pytest.raises(InputError, match="no CT: its source is a table"):
        _ = lydata[0].ct


def test_a_cohort_of_lydata_without_ece_says_so(tmp_path):
    lydata = load_lydata(written(tmp_path, LYDATA.replace("extracapsular", "hpv_status")))
    assert "does not report extracapsular extension" in str(lydata.describe())
    assert {case.labels.pene for case in lydata} == {None}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("id,age\nX1,3\n", "not the three header rows", id="one header row"),
        pytest.param(LYDATA.replace("id,n_stage", "no,n_stage"), "no column patient / id", id="no id"),
        pytest.param(LYDATA.replace("X1,2,True", "X1,2,maybe"), "Row 4.*not True or False", id="a value"),
        pytest.param(LYDATA.replace("26.0", "big"), "Row 4.*positive_dissected / largest_node_mm", id="no number"),
        pytest.param(LYDATA.replace("X2,", "X1,"), "1 case ids stand for several", id="a patient twice"),
        pytest.param(LYDATA.replace(",0,,0", ""), "Row 5.*has 5 cells", id="a short row"),
    ],
)
def test_what_is_no_lydata(tmp_path, text, words):
    with pytest.raises(InputError, match=words):
        load_lydata(written(tmp_path, text))
