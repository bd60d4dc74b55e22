"""Where COCO is: in the folder that COCO_ROOT names, else in data/coco."""

coco_root = '{{$COCO_ROOT:data/coco}}/'
coco_detections = coco_root + 'person_detection_results/'
coco_val_ann = coco_root + 'annotations/person_keypoints_val2017.json'

coco_train = dict(data_root=coco_root)
coco_val = dict(
    data_root=coco_root,
    bbox_file=coco_detections + 'COCO_val2017_detections_AP_H_56_person.json',
)
